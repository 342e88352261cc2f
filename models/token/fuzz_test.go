package token

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzEncode: any text gives ids of the vocabulary and a text back.
func FuzzEncode(f *testing.F) {
	for _, c := range randomCases(f) {
		f.Add(c.Text)
	}
	for _, s := range []string{"", "\xff", "ГўВЂВ.a", "&amp;amp;lt;", "a" + strings.Repeat("\u0301", 40), "Â Â", "\xed\xa0\x80\xed\xb0\x80"} {
		f.Add(s)
	}
	toks := []*Tokenizer{smallTok(f, Options{}), smallTok(f, Options{Clean: HF})}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			ids := tok.Encode(text)
			for _, id := range ids {
				if id < 0 || int(id) >= tok.VocabSize() {
					t.Fatalf("id %d of %q", id, text)
				}
			}
			clean := tok.Clean(text)
			if !utf8.ValidString(clean) || !utf8.ValidString(tok.Decode(ids)) {
				t.Fatalf("%q gives invalid UTF-8", text)
			}
			// Without special names, the words spell the cleaned text.
			if strings.Contains(clean, "<|") || strings.ContainsAny(clean, "\u0345") || strings.Contains(clean, "</w>") {
				continue
			}
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			if got := squeeze(tok.Decode(ids)); got != squeeze(clean) {
				t.Fatalf("%q is cleaned to %q but decodes to %q", text, clean, got)
			}
		}
	})
}

// FuzzLoad: any files give a tokenizer that works, or an error.
func FuzzLoad(f *testing.F) {
	vocab, merges := smallFiles(f)
	f.Add([]byte(vocab), []byte(merges))
	f.Add([]byte(`{"<|startoftext|>":0,"<|endoftext|>":1,"a":2,"b</w>":3,"ab</w>":4}`), []byte("a b</w>"))
	f.Add([]byte(`{"added_tokens":[],"model":{"end_of_word_suffix":"</w>","vocab":{"<|startoftext|>":0,"<|endoftext|>":1},"merges":[["a","b"]]}}`), []byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, vocab, merges []byte) {
		try := func(tok *Tokenizer, err error) {
			if err != nil {
				if tok != nil || err.Error() == "" {
					t.Fatal("a tokenizer and an error, or an empty error")
				}
				return
			}
			tok.Decode(tok.Encode("the cat ab <|endoftext|> é"))
		}
		try(New(bytes.NewReader(vocab), bytes.NewReader(merges), Options{}))
		try(NewJSON(bytes.NewReader(vocab), Options{Clean: HF}))
		try(NewOpenAI(bytes.NewReader(merges), Options{}))
	})
}
