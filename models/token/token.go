package token

import (
	"strings"
)

// Names of CLIP's two special tokens.
const (
	startOfText = "<|startoftext|>"
	endOfText   = "<|endoftext|>"
	endOfWord   = "</w>"
)

// Cleaning names what happens to text before it is split into words.
type Cleaning int

const (
	// OpenAI is openai/CLIP's SimpleTokenizer: ftfy.fix_text (6.3.1, defaults),
	// html.unescape twice, runs of white space to one space, lower case.
	OpenAI Cleaning = iota
	// HF is transformers' CLIPTokenizer: NFC, runs of white space to one
	// space, lower case.
	HF
)

// Pad names what fills the places after the last token in [Tokenizer.Tokenize].
type Pad int

const (
	// PadZero fills with id 0, as clip.tokenize does.
	PadZero Pad = iota
	// PadEnd fills with <|endoftext|>, as transformers and diffusers do.
	PadEnd
)

// Options chooses between habits that the files themselves do not record.
// The zero value is openai/CLIP's.
type Options struct {
	Clean Cleaning
}

// Tokenizer is a loaded vocabulary. It is immutable: any number of goroutines
// may use it at once.
type Tokenizer struct {
	opts     Options
	byteID   [256]int32       // symbol of a byte inside a word
	byteEnd  [256]int32       // symbol of a byte that ends a word
	ranks    map[uint64]int32 // place of a pair in merges
	merges   []merge          // in the order they were learnt
	text     []string         // bytes each id stands for, "</w>" included
	sot, eot int32
	size     int
	// startNormalized: a tokenizer.json may ask that <|startoftext|> is looked
	// for after lower-casing instead of before.
	startNormalized bool
}

// VocabSize is the number of entries of the vocabulary.
func (t *Tokenizer) VocabSize() int { return t.size }

// Start is the id of <|startoftext|>.
func (t *Tokenizer) Start() int32 { return t.sot }

// End is the id of <|endoftext|>, which also stands for bytes the vocabulary lacks.
func (t *Tokenizer) End() int32 { return t.eot }

// Encode returns the ids of text, without <|startoftext|> and <|endoftext|>
// around them. The two names inside the text give their ids, as in both
// published tokenizers. Invalid UTF-8 counts as U+FFFD, one per maximal
// invalid sequence, as Python's bytes.decode(errors="replace").
//
// Allocs: proportional to the text; 10^6 characters take well under a second.
func (t *Tokenizer) Encode(text string) []int32 {
	text = validUTF8(text)
	w := words{t: t, out: make([]int32, 0, len(text)/4+4)}
	if t.opts.Clean == OpenAI {
		w.splitOpenAI(cleanOpenAI(text))
		return w.out
	}
	for text != "" {
		i, name := indexSpecial(text, !t.startNormalized)
		segment := cleanHF(text[:i])
		for t.startNormalized && segment != "" {
			j := strings.Index(segment, startOfText)
			if j < 0 {
				break
			}
			w.splitHF(segment[:j])
			w.out = append(w.out, t.sot)
			segment = segment[j+len(startOfText):]
		}
		w.splitHF(segment)
		w.special(name)
		text = text[i+len(name):]
	}
	return w.out
}

// Clean returns text as the words are cut from it: what SimpleTokenizer or
// CLIPTokenizer would see after their own cleaning.
func (t *Tokenizer) Clean(text string) string {
	if t.opts.Clean == OpenAI {
		return cleanOpenAI(validUTF8(text))
	}
	return cleanHF(validUTF8(text))
}

// Tokenize returns exactly contextLen ids: <|startoftext|>, the text,
// <|endoftext|> and padding. n counts the ids before the padding. A text that
// does not fit is cut and its last id set to <|endoftext|>; truncated reports it.
// Empty text is [start, end]. A contextLen below 1 gives no ids.
func (t *Tokenizer) Tokenize(text string, contextLen int, pad Pad) (ids []int32, n int, truncated bool) {
	if contextLen < 1 {
		return nil, 0, true
	}
	body := t.Encode(text)
	ids = make([]int32, contextLen)
	ids[0] = t.sot
	n = 1 + copy(ids[1:], body)
	truncated = len(body)+2 > contextLen
	if truncated {
		n = contextLen
	} else {
		n++
	}
	ids[n-1] = t.eot
	if pad == PadEnd {
		for i := n; i < contextLen; i++ {
			ids[i] = t.eot
		}
	}
	return ids, n, truncated
}

// Decode returns the text of ids as SimpleTokenizer.decode does: each word is
// followed by a space, bytes that are no UTF-8 become U+FFFD. An id outside the
// vocabulary becomes U+FFFD too.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.text) {
			b.WriteString("\uFFFD")
			continue
		}
		b.WriteString(t.text[id])
	}
	return strings.ReplaceAll(validUTF8(b.String()), endOfWord, " ")
}
