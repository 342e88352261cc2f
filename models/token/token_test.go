package token

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// smallFiles returns a vocab.json and merges.txt with all bytes and some merges.
func smallFiles(t testing.TB) (vocab, merges string) {
	pairs := []string{"t h", "th e</w>", "c a", "ca t</w>", "a n", "an d</w>", "s</w> s"}
	ids := map[string]int{}
	for i, c := range byteOrder() {
		ids[string(c)], ids[string(c)+endOfWord] = i, i+256
	}
	for _, p := range pairs[:6] {
		ids[strings.ReplaceAll(p, " ", "")] = len(ids)
	}
	ids[startOfText], ids[endOfText] = len(ids), len(ids)+1
	raw, err := json.Marshal(ids)
	require.NoError(t, err)
	return string(raw), "#version: 0.2\n" + strings.Join(pairs[:6], "\n") + "\n"
}

func smallTok(t testing.TB, o Options) *Tokenizer {
	vocab, merges := smallFiles(t)
	tok, err := New(strings.NewReader(vocab), strings.NewReader(merges), o)
	require.NoError(t, err)
	return tok
}

func TestSmallVocabulary(t *testing.T) {
	tok := smallTok(t, Options{})
	require.Equal(t, 520, tok.VocabSize())
	require.Equal(t, int32(518), tok.Start())
	require.Equal(t, []int32{513, 515, 517}, tok.Encode("The  cat AND"))
	require.Equal(t, "the cat and ", tok.Decode([]int32{513, 515, 517}))
	require.Equal(t, "the \uFFFD\uFFFD", tok.Decode([]int32{513, -1, 1000}))
	require.Equal(t, "<|startoftext|><|endoftext|>", tok.Decode([]int32{518, 519}))
}

func TestTokenize(t *testing.T) {
	tok := smallTok(t, Options{})
	for _, c := range []struct {
		text      string
		length    int
		pad       Pad
		ids       []int32
		n         int
		truncated bool
	}{
		{"", 4, PadZero, []int32{518, 519, 0, 0}, 2, false},
		{"cat", 4, PadZero, []int32{518, 515, 519, 0}, 3, false},
		{"cat", 5, PadEnd, []int32{518, 515, 519, 519, 519}, 3, false},
		{"cat cat", 4, PadZero, []int32{518, 515, 515, 519}, 4, false},
		{"cat cat the", 4, PadZero, []int32{518, 515, 515, 519}, 4, true},
		{"cat", 2, PadZero, []int32{518, 519}, 2, true},
		{"", 2, PadZero, []int32{518, 519}, 2, false},
		{"", 1, PadZero, []int32{519}, 1, true},
		{"cat", 0, PadZero, nil, 0, true},
		{"cat", -5, PadZero, nil, 0, true},
	} {
		ids, n, truncated := tok.Tokenize(c.text, c.length, c.pad)
		require.Equal(t, c.ids, ids, "%+v", c)
		require.Equal(t, c.n, n, "%+v", c)
		require.Equal(t, c.truncated, truncated, "%+v", c)
	}
}

// TestOddTexts are rows 45-50 of the fault matrix.
func TestOddTexts(t *testing.T) {
	for _, tok := range []*Tokenizer{smallTok(t, Options{}), smallTok(t, Options{Clean: HF})} {
		require.Empty(t, tok.Encode(""))
		require.Empty(t, tok.Encode(" \t\n\u3000"))
		// Invalid UTF-8 is U+FFFD, one for each maximal invalid sequence.
		for text, same := range map[string]string{
			"a\xffb":             "a\uFFFDb",
			"\xe2\x82":           "\uFFFD",
			"\xed\xa0\x80":       "\uFFFD\uFFFD\uFFFD",
			"\xf0\x9f\x98x\xc0a": "\uFFFDx\uFFFDa",
		} {
			require.Equal(t, same, validUTF8(text))
			require.Equal(t, tok.Encode(same), tok.Encode(text))
		}
		for _, text := range []string{"\x00", "a\x00b", "👩‍👩‍👧‍👦🏳️‍🌈", "שלום עולם", "\u202eabc", "the and of", strings.Repeat("cat ", 500)} {
			ids, n, _ := tok.Tokenize(text, 77, PadZero)
			require.Len(t, ids, 77)
			require.Equal(t, tok.End(), ids[n-1])
			for _, id := range ids {
				require.Less(t, int(id), tok.VocabSize())
			}
		}
	}
	require.NotEmpty(t, smallTok(t, Options{}).Encode("of the and"), "stop words are words")
}

// TestLongTexts: work grows with the length, not with its square, or this does
// not end.
func TestLongTexts(t *testing.T) {
	const n = 1_000_000
	tok := smallTok(t, Options{})
	for name, part := range map[string]string{
		"letters":   "a",
		"merging":   "cat",
		"words":     "cat ",
		"signs":     "!?",
		"chinese":   "猫",
		"mojibake":  "â€œ",
		"marks":     "e\u0323\u0302",
		"only mark": "\u0323",
		"entities":  "&amp;",
		"nested":    "amp;",
		"unclosed":  "&#",
		"ampersand": "&",
		"sigma":     "Σ.",
		"quotes":    "'s",
		"bad bytes": "\xf0\x9f",
		"escapes":   "\x1b[0",
		"lines":     "é\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(part, n/len(part))
			if name == "nested" {
				text = "&" + text
			}
			start := time.Now()
			ids, n, truncated := tok.Tokenize(text, 77, PadEnd)
			t.Logf("%d bytes in %v", len(text), time.Since(start).Round(time.Millisecond))
			require.Len(t, ids, 77)
			require.Equal(t, 77, n)
			require.True(t, truncated)
		})
	}
	require.Len(t, tok.Encode(strings.Repeat("猫", n)), 3*n, "three bytes each")
}

func TestNormalization(t *testing.T) {
	marks := strings.Repeat("\u0301\u0323", 40)
	for _, s := range []string{"e" + marks, marks, "e\u0323\u0302" + marks + "각\u1100\u1161\u11a8", "ộ\u0301" + marks} {
		got := nfc(s)
		require.NotContains(t, got, "\u034f", "no stream-safe joiners")
		require.Equal(t, got, nfc(got), "normal forms are stable")
		require.True(t, longMarks(s))
	}
	// Below the limit the two ways must agree.
	for _, s := range []string{"e\u0323\u0302", "a\u0300\u0301\u0302\u0303", "\u1100\u1161\u11a8각", "\u0f71\u0f72\u0f74", "q\u0307\u0323", "\u0344x\u0344", "Å"} {
		require.Equal(t, nfc(s), composeAll(s), "%+q", s)
	}
	require.Equal(t, "ẹ"+strings.Repeat("\u0323", 39)+strings.Repeat("\u0301", 40), nfc("e"+marks))
}

func TestLower(t *testing.T) {
	for s, want := range map[string]string{
		"ΣΑΣ": "σας", "Σ": "σ", "ΑΣ": "ας", "ΑΣ.": "ας.", "ΑΣ.Α": "ασ.α", "Α'Σ": "α'ς", "İ": "i\u0307", "ΑΣʰ": "αςʰ", "ΑΣʰΑ": "ασʰα",
	} {
		require.Equal(t, want, lower(s, true), s)
	}
	require.Equal(t, "σασ", lower("ΣΑΣ", false))
}

func TestBadFiles(t *testing.T) {
	vocab, merges := smallFiles(t)
	edit := func(old, new string) string {
		require.Contains(t, vocab, old)
		return strings.Replace(vocab, old, new, 1)
	}
	for name, c := range map[string]struct{ vocab, merges, want string }{
		"empty":          {"", merges, "vocab.json: line 1: not JSON"},
		"cut":            {vocab[:len(vocab)/2], merges, "vocab.json: line 1"},
		"array":          {"[1]", merges, "object of token to id"},
		"text id":        {edit(`"th":512`, `"th":"x"`), merges, `id of token "th"`},
		"float id":       {edit(`"th":512`, `"th":1.5`), merges, `id of token "th"`},
		"negative id":    {edit(`"th":512`, `"th":-1`), merges, `id -1 of "th"`},
		"huge id":        {edit(`"th":512`, `"th":2000000000`), merges, `id 2000000000 of "th"`},
		"shared id":      {edit(`"th":512`, `"th":514`), merges, `"ca" and "th" share id 514`},
		"twice":          {edit(`"th":512`, "\"th\":512,\n\"th\":512"), merges, `line 2: token "th" comes twice`},
		"no start":       {edit("startoftext", "start"), merges, "no \"<|startoftext|>\""},
		"no end":         {edit("endoftext", "end"), merges, "no \"<|endoftext|>\""},
		"three symbols":  {vocab, merges + "a b c\n", "merges.txt: line 8"},
		"one symbol":     {vocab, "#version\na\n", "merges.txt: line 2"},
		"unknown symbol": {vocab, merges + "x yz\n", `line 8: merge "x" + "yz": "yz" is not in the vocabulary`},
		"unknown result": {vocab, merges + "x y\n", `"xy" is not in the vocabulary`},
		"merge twice":    {vocab, merges + "t h\n", "line 8: merge \"t\" + \"h\" comes twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(strings.NewReader(c.vocab), strings.NewReader(c.merges), Options{})
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := New(strings.NewReader(vocab), strings.NewReader(strings.ReplaceAll(merges, "\n", "\r\n\r\n")), Options{})
	require.NoError(t, err, "CRLF and blank lines are harmless")
}

func TestLoad(t *testing.T) {
	vocab, merges := smallFiles(t)
	write := func(dir, name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	dir := t.TempDir()
	_, err := Load(dir, Options{})
	require.ErrorContains(t, err, "holds none of")
	_, err = Load(filepath.Join(dir, "none"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	write(dir, "vocab.json", vocab)
	_, err = Load(dir, Options{})
	require.ErrorContains(t, err, "merges.txt")
	write(dir, "merges.txt", "a")
	_, err = Load(dir, Options{})
	require.ErrorContains(t, err, dir)
	write(dir, "merges.txt", merges)
	want, err := Load(dir, Options{})
	require.NoError(t, err)

	// The same as tokenizer.json, in both forms of merges.
	var pairs [][]string
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(merges), "\n")[1:] {
		pairs, lines = append(pairs, strings.Fields(l)), append(lines, l)
	}
	for _, m := range []any{pairs, lines} {
		other := t.TempDir()
		raw, err := json.Marshal(map[string]any{
			"added_tokens": []any{map[string]any{"id": 518, "content": startOfText, "normalized": true}},
			"model":        map[string]any{"type": "BPE", "end_of_word_suffix": "</w>", "vocab": json.RawMessage(vocab), "merges": m},
		})
		require.NoError(t, err)
		write(other, "tokenizer.json", string(raw))
		got, err := Load(other, Options{})
		require.NoError(t, err)
		require.Equal(t, want.Encode("The cat and Ünïcödé"), got.Encode("The cat and Ünïcödé"))
		hf, err := Load(filepath.Join(other, "tokenizer.json"), Options{Clean: HF})
		require.NoError(t, err)
		require.Equal(t, []int32{518, 515, 518, 519}, hf.Encode("<|STARTOFTEXT|>cat<|startoftext|><|endoftext|>"), "normalized: found after lower-casing")
		write(other, "tokenizer.json", strings.Replace(string(raw), "end_of_word_suffix", "x", 1))
		_, err = Load(other, Options{})
		require.ErrorContains(t, err, "tokenizer.json: model.type")
		write(other, "tokenizer.json", strings.Replace(string(raw), `"id":518`, `"id":5`, 1))
		_, err = Load(other, Options{})
		require.ErrorContains(t, err, "added_tokens")
	}

	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	fmt.Fprint(gz, `"bpe#version: 0.2`+"\n"+strings.Join(lines, "\n"))
	require.NoError(t, gz.Close())
	for _, data := range [][]byte{packed.Bytes(), []byte(strings.Join(append([]string{"#version"}, lines...), "\n"))} {
		got, err := NewOpenAI(bytes.NewReader(data), Options{})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = NewOpenAI(bytes.NewReader(packed.Bytes()[:packed.Len()/2]), Options{})
	require.Error(t, err)
	_, err = NewOpenAI(strings.NewReader("a b\na b\n"), Options{})
	require.ErrorContains(t, err, "line 2")
}
