package token

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// NewJSON reads Hugging Face's tokenizer.json. It must describe CLIP's
// tokenizer: byte-level BPE with the end-of-word mark "</w>".
func NewJSON(r io.Reader, o Options) (*Tokenizer, error) {
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	var file struct {
		Added []struct {
			ID         int32  `json:"id"`
			Content    string `json:"content"`
			Normalized bool   `json:"normalized"`
		} `json:"added_tokens"`
		Model struct {
			Type   string            `json:"type"`
			Suffix string            `json:"end_of_word_suffix"`
			Vocab  json.RawMessage   `json:"vocab"`
			Merges []json.RawMessage `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("not a tokenizer.json: %w", err)
	}
	m := file.Model
	if m.Type != "" && m.Type != "BPE" || m.Suffix != endOfWord {
		return nil, fmt.Errorf("model.type %q with end_of_word_suffix %q: want BPE with %q, as CLIP's", m.Type, m.Suffix, endOfWord)
	}
	ids, err := parseVocab(m.Vocab)
	if err != nil {
		return nil, fmt.Errorf("model.vocab: %w", err)
	}
	normalized := false
	for _, a := range file.Added {
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return nil, fmt.Errorf("added_tokens: %.60q has id %d, model.vocab says %d", a.Content, a.ID, id)
		}
		ids[a.Content] = a.ID
		if a.Content == startOfText {
			normalized = a.Normalized
		}
	}
	b := newBuilder(ids, o)
	b.t.startNormalized = normalized
	for i, raw := range m.Merges {
		left, right, err := mergePair(raw)
		if err == nil {
			err = b.pair(left, right)
		}
		if err != nil {
			return nil, fmt.Errorf("model.merges[%d]: %w", i, err)
		}
	}
	return b.done()
}

// mergePair reads "left right" (older files) or ["left", "right"].
func mergePair(raw json.RawMessage) (left, right string, err error) {
	var pair []string
	if json.Unmarshal(raw, &pair) == nil && len(pair) == 2 {
		return pair[0], pair[1], nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if left, right, ok := strings.Cut(text, " "); ok {
			return left, right, nil
		}
	}
	return "", "", fmt.Errorf("%.60s is not a pair of symbols", raw)
}
