package token

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words of CLIP are the matches, left to right, of
//
//	<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// Source: openai/CLIP clip/simple_tokenizer.py (with IGNORECASE); transformers
// models/clip/tokenization_clip.py (without).

// longStart is what IGNORECASE takes for <|startoftext|> although it is not.
const longStart = "<|ſtartoftext|>"

// class is the kind of a character in that pattern.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

var asciiClass = func() (t [utf8.RuneSelf]class) {
	for i := range t {
		t[i] = unicodeClass(rune(i))
	}
	return t
}()

func unicodeClass(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// next returns the class and the width of the first character of a non-empty s.
func next(s string) (class, int) {
	if c := s[0]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, n := utf8.DecodeRuneInString(s)
	return unicodeClass(r), n
}

// run returns how many bytes at the start of s are of class k.
func run(s string, k class) int {
	i := 0
	for i < len(s) {
		c, n := next(s[i:])
		if c != k {
			break
		}
		i += n
	}
	return i
}

// contraction returns the length of one of 's 't 're 've 'm 'll 'd at the start
// of s, or 0. s is lower case already; long s folds to s where case is ignored.
func contraction(s string, fold bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && s[2] == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && s[2] == 'l' {
			return 3
		}
	}
	if fold && strings.HasPrefix(s[1:], "ſ") {
		return 1 + len("ſ")
	}
	return 0
}

// indexSpecial finds the first special token's name: its index and the name,
// or len(s) and "". start says whether <|startoftext|> is looked for.
func indexSpecial(s string, start bool) (int, string) {
	for i := 0; ; i++ {
		j := strings.Index(s[i:], "<|")
		if j < 0 {
			return len(s), ""
		}
		i += j
		switch {
		case strings.HasPrefix(s[i:], endOfText):
			return i, endOfText
		case start && strings.HasPrefix(s[i:], startOfText):
			return i, startOfText
		}
	}
}

// specialPrefix returns the special token's name at the start of a non-empty s, or "".
func specialPrefix(s string) string {
	if s[0] == '<' {
		for _, name := range [...]string{startOfText, endOfText} {
			if strings.HasPrefix(s, name) {
				return name
			}
		}
	}
	return ""
}

// splitOpenAI appends the ids of text's words as openai/CLIP cuts them.
func (w *words) splitOpenAI(s string) {
	// IGNORECASE makes U+0345 (its capital is a letter) fall out of every
	// class of the pattern: it only separates.
	s = strings.ReplaceAll(s, "\u0345", " ")
	for s != "" {
		if name := specialPrefix(s); name != "" {
			w.special(name)
			s = s[len(name):]
			continue
		}
		// IGNORECASE lets a long s stand for s; no vocabulary knows that name.
		if strings.HasPrefix(s, longStart) {
			w.encode(longStart)
			s = s[len(longStart):]
			continue
		}
		s = s[w.word(s, true):]
	}
}

// splitHF appends the ids of text's words as transformers cuts them. A special
// token's name here (it can only come from lower-casing) is a word of the
// pattern, which the byte-level step then cuts at the change of class.
func (w *words) splitHF(s string) {
	for s != "" {
		if name := specialPrefix(s); name != "" {
			w.encode("<|")
			w.encode(name[2 : len(name)-2])
			w.encode("|>")
			s = s[len(name):]
			continue
		}
		s = s[w.word(s, false):]
	}
}

// word appends the ids of the word (or skips the white space) at the start of a
// non-empty s and returns its length.
func (w *words) word(s string, fold bool) int {
	n := contraction(s, fold)
	if n == 0 {
		var k class
		switch k, n = next(s); k {
		case space:
			return n
		case letter:
			n += run(s[n:], letter)
		case other:
			n += run(s[n:], other)
		}
	}
	w.encode(s[:n])
	return n
}
