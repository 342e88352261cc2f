package token

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanOpenAI is basic_clean, whitespace_clean and lower of openai/CLIP.
func cleanOpenAI(s string) string {
	s = unescapeHTML(unescapeHTML(fixText(s)))
	return lower(strings.TrimFunc(collapseSpace(s), unicode.IsSpace), true)
}

// cleanHF is the normalizer of transformers' CLIPTokenizer.
func cleanHF(s string) string {
	return lower(collapseSpace(nfc(s)), false)
}

// isASCII reports whether s is ASCII.
func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// collapseSpace replaces each run of white space by one space.
func collapseSpace(s string) string {
	clean, was := true, false
	for _, r := range s {
		is := unicode.IsSpace(r)
		if is && (was || r != ' ') {
			clean = false
			break
		}
		was = is
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	was = false
	for _, r := range s {
		is := unicode.IsSpace(r)
		switch {
		case !is:
			b.WriteRune(r)
		case !was:
			b.WriteByte(' ')
		}
		was = is
	}
	return b.String()
}

// lower is Python's str.lower where finalSigma is set and Rust's per-character
// lower case where not. Both differ from strings.ToLower in U+0130, which
// becomes two characters; Python also writes a sigma that ends a word as ς.
//
// Source: Unicode 3.13, rule Final_Sigma and SpecialCasing.txt.
func lower(s string, finalSigma bool) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && finalSigma && endsWord(s, i):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// endsWord reports whether the sigma at s[i:] follows a cased letter and is
// followed by none, case-ignorable characters not counted.
func endsWord(s string, i int) bool {
	before := strings.TrimRightFunc(s[:i], caseIgnorable)
	r, _ := utf8.DecodeLastRuneInString(before)
	if before == "" || !cased(r) {
		return false
	}
	after := strings.TrimLeftFunc(s[i+len("Σ"):], caseIgnorable)
	r, _ = utf8.DecodeRuneInString(after)
	return after == "" || !cased(r)
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '\u0387', '\u055F', '\u05F4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\uFE13', '\uFE52', '\uFE55', '\uFF07', '\uFF0E', '\uFF1A':
		return true // Word_Break MidLetter, MidNumLet, Single_Quote
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// validUTF8 replaces each maximal invalid sequence by U+FFFD.
//
// Source: Unicode 3.9, "substitution of maximal subparts"; what Python does.
// strings.ToValidUTF8 replaces a whole run by one character instead.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n > 1 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		b.WriteString("\uFFFD")
		i += badLength(s[i:])
	}
	return b.String()
}

// badLength returns the length of the maximal subpart at the start of s: as
// many bytes as could begin a character, at least one.
func badLength(s string) int {
	low, high, want := byte(0x80), byte(0xBF), 0
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 2
	case c >= 0xE0 && c <= 0xEF:
		want = 3
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 4
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n < want && n < len(s) && s[n] >= low && s[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}
