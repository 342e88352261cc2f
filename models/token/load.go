package token

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Limits on what a vocabulary may hold: far above CLIP's 49408 entries and
// 1.4 MB, low enough that a wrong or hostile file cannot exhaust memory.
const (
	maxFile  = 64 << 20
	maxVocab = 1 << 21
)

// Load reads a tokenizer from a file or a directory of Hugging Face's layout.
// A directory is searched for vocab.json with merges.txt, then tokenizer.json,
// then bpe_simple_vocab_16e6.txt.gz. A file may be a tokenizer.json, or
// OpenAI's merges, gzipped or not.
//
// Errors: name the file and, where there is one, the line.
func Load(path string, o Options) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		return parseFile(f, path, o)
	}
	return LoadFS(os.DirFS(path), path, o)
}

// LoadFS is [Load] for a directory that needn't be on disk; name is what
// messages call it.
func LoadFS(dir fs.FS, name string, o Options) (*Tokenizer, error) {
	v, err := dir.Open("vocab.json")
	if err == nil {
		defer v.Close()
		m, err := dir.Open("merges.txt")
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: vocab.json needs merges.txt beside it: %w", name, err)
		}
		defer m.Close()
		t, err := New(v, m, o)
		if err != nil {
			return nil, fmt.Errorf("tokenizer in %s: %w", name, err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	for _, file := range []string{"tokenizer.json", "bpe_simple_vocab_16e6.txt.gz"} {
		switch f, err := dir.Open(file); {
		case err == nil:
			return parseFile(f, filepath.Join(name, file), o)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("tokenizer: %s holds none of vocab.json with merges.txt, tokenizer.json, bpe_simple_vocab_16e6.txt.gz", name)
}

// parseFile reads one file, whose ending tells its form, and closes it.
func parseFile(f fs.File, path string, o Options) (*Tokenizer, error) {
	defer f.Close()
	parse := NewOpenAI
	if strings.HasSuffix(path, ".json") {
		parse = NewJSON
	}
	t, err := parse(f, o)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// New reads vocab.json and merges.txt. The special tokens are found in the
// vocabulary by name.
//
// Errors: say which of the two files, and the line.
func New(vocab, merges io.Reader, o Options) (*Tokenizer, error) {
	raw, err := readAll(vocab)
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	ids, err := parseVocab(raw)
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	b := newBuilder(ids, o)
	raw, err = readAll(merges)
	if err != nil {
		return nil, fmt.Errorf("merges.txt: %w", err)
	}
	if err := eachMerge(raw, -1, b.merge); err != nil {
		return nil, fmt.Errorf("merges.txt: %w", err)
	}
	return b.done()
}

// NewOpenAI reads openai/CLIP's bpe_simple_vocab_16e6.txt, gzipped or not: merges
// only, from which the 49408 ids follow (512 bytes, 48894 merges, 2 names). Merges
// past the 48894th are not part of CLIP's vocabulary and are ignored.
func NewOpenAI(r io.Reader, o Options) (*Tokenizer, error) {
	br := bufio.NewReader(r)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		gz, err := gzip.NewReader(br)
		if err != nil {
			return nil, err
		}
		r = gz
	} else {
		r = br
	}
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	const published = 49152 - 256 - 2 // Source: clip/simple_tokenizer.py
	ids := make(map[string]int32, 49408)
	for i, c := range byteOrder() {
		ids[string(c)] = int32(i)
		ids[string(c)+endOfWord] = int32(i) + 256
	}
	next := int32(512)
	err = eachMerge(raw, published, func(line int, left, right string) error {
		if _, ok := ids[left+right]; ok {
			return fmt.Errorf("line %d: %q is made twice", line, left+right)
		}
		ids[left+right] = next
		next++
		return nil
	})
	if err != nil {
		return nil, err
	}
	ids[startOfText], ids[endOfText] = next, next+1
	b := newBuilder(ids, o)
	if err := eachMerge(raw, published, b.merge); err != nil {
		return nil, err
	}
	return b.done()
}

// readAll reads r up to maxFile bytes.
func readAll(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(raw) > maxFile {
		return nil, fmt.Errorf("larger than %d MiB: not a tokenizer's file", maxFile>>20)
	}
	return raw, err
}

// eachMerge calls f for the first limit (all if negative) lines "left right".
// A first line that holds "#version" and blank lines are skipped.
func eachMerge(raw []byte, limit int, f func(line int, left, right string) error) error {
	for line := 1; len(raw) > 0 && limit != 0; line++ {
		var text string
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			text, raw = string(raw[:i]), raw[i+1:]
		} else {
			text, raw = string(raw), nil
		}
		text = strings.TrimSuffix(text, "\r")
		if text == "" || line == 1 && strings.Contains(text, "#version") {
			continue
		}
		left, right, ok := strings.Cut(text, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return fmt.Errorf("line %d: %.60q is not two symbols separated by a space", line, text)
		}
		if err := f(line, left, right); err != nil {
			return err
		}
		limit--
	}
	return nil
}

// parseVocab reads a JSON object of token to id. Unlike json.Unmarshal it
// refuses a name that comes twice and knows the line of what it refuses.
func parseVocab(raw []byte) (map[string]int32, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	fail := func(format string, a ...any) error {
		line := 1 + bytes.Count(raw[:dec.InputOffset()], []byte("\n"))
		return fmt.Errorf("line %d: %w", line, fmt.Errorf(format, a...))
	}
	open, err := dec.Token()
	if err != nil {
		return nil, fail("not JSON: %w", err)
	}
	if open != json.Delim('{') {
		return nil, fail("want an object of token to id")
	}
	ids := make(map[string]int32, 1024)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fail("not JSON: %w", err)
		}
		name, _ := key.(string)
		if _, ok := ids[name]; ok {
			return nil, fail("token %.60q comes twice", name)
		}
		var id int32
		if err := dec.Decode(&id); err != nil {
			return nil, fail("id of token %.60q: %w", name, err)
		}
		ids[name] = id
	}
	if _, err := dec.Token(); err != nil {
		return nil, fail("not JSON: %w", err)
	}
	return ids, nil
}
