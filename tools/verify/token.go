package verify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"syntic/models/token"
)

const tokenFile = "tokenizer/clip_bpe.json"

// tokenCase is one text and what the published tokenizers make of it.
type tokenCase struct {
	Hex       string  `json:"text_hex"`
	Clean     string  `json:"clean"`
	IDs       []int32 `json:"ids"`
	HF        []int32 `json:"ids_hf"` // where transformers differs
	Truncated bool    `json:"truncated"`
	Decoded   string  `json:"decoded"`
}

// tokenizer checks the cases of CLIP's byte-pair encoding. It fails every case
// alike when there is no vocabulary.
func (s *suite) tokenizer(ctx context.Context, report func(Result)) error {
	if !s.exists(tokenFile) {
		return nil
	}
	var file struct {
		Cases []tokenCase `json:"cases"`
	}
	data, err := os.ReadFile(s.path(tokenFile))
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		if s.selected("tokenizer/clip_bpe") {
			report(failure("tokenizer/clip_bpe", err))
		}
		return nil
	}
	var openai, hf *token.Tokenizer
	for i, c := range file.Cases {
		id := fmt.Sprintf("tokenizer/clip_bpe/%d", i)
		if !s.selected(id) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if openai == nil && err == nil {
			openai, hf, err = s.vocabulary()
		}
		if err != nil {
			report(failure(id, err))
			continue
		}
		report(exactly(id, c.check(openai, hf)))
	}
	return nil
}

// vocabulary loads CLIP's vocabulary in both habits.
func (s *suite) vocabulary() (openai, hf *token.Tokenizer, err error) {
	path := s.opts.Tokenizer
	if path == "" {
		path = s.path("tokenizer")
	}
	if openai, err = token.Load(path, token.Options{Clean: token.OpenAI}); err != nil {
		return nil, nil, err
	}
	hf, err = token.Load(path, token.Options{Clean: token.HF})
	return openai, hf, err
}

// check returns what is wrong with a case, nil when nothing is.
func (c *tokenCase) check(openai, hf *token.Tokenizer) error {
	raw, err := hex.DecodeString(c.Hex)
	if err != nil {
		return err
	}
	text := string(raw)
	if got := openai.Clean(text); got != c.Clean {
		return fmt.Errorf("cleaned text %q, want %q", got, c.Clean)
	}
	ids := openai.Encode(text)
	if !slices.Equal(ids, c.IDs) {
		return fmt.Errorf("ids %v, want %v", ids, c.IDs)
	}
	if got := openai.Decode(c.IDs); got != c.Decoded {
		return fmt.Errorf("decoded %q, want %q", got, c.Decoded)
	}
	want := c.HF
	if want == nil {
		want = c.IDs
	}
	if got := hf.Encode(text); !slices.Equal(got, want) {
		return fmt.Errorf("Hugging Face's ids %v, want %v", got, want)
	}
	// clip.tokenize: 77 ids, zeros at the end, the last one the end mark.
	full, n, truncated := openai.Tokenize(text, 77, token.PadZero)
	whole := append([]int32{openai.Start()}, c.IDs...)
	if len(whole) > 76 {
		whole = whole[:76]
	}
	whole = append(whole, openai.End())
	if truncated != c.Truncated || n != len(whole) || !slices.Equal(full, append(whole, make([]int32, 77-n)...)) {
		return fmt.Errorf("77 ids %v (%d used, truncated %v), want %v", full, n, truncated, whole)
	}
	return nil
}

// exactly is the result of a case that is either right or wrong.
func exactly(id string, err error) Result {
	if err != nil {
		return failure(id, err)
	}
	return Result{ID: id, Pass: true}
}
