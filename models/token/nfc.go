package token

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxNonStarters is how many combining marks in a row golang.org/x/text
// composes exactly; after 30 it inserts U+034F (UAX #15, stream-safe text),
// which no Python normalizer does.
const maxNonStarters = 30

// nfc is Unicode normalization form C.
func nfc(s string) string {
	if norm.NFC.QuickSpanString(s) == len(s) {
		return s
	}
	if !longMarks(s) {
		return norm.NFC.String(s)
	}
	return composeAll(s)
}

// longMarks reports whether some run of combining marks could exceed the limit.
func longMarks(s string) bool {
	n := 0
	for i := 0; i < len(s); {
		p := norm.NFD.PropertiesString(s[i:])
		if p.Size() == 0 {
			return false
		}
		// One mark decomposes into at most three.
		if p.CCC() != 0 || p.TrailCCC() != 0 {
			n += 3
		} else {
			n = 0
		}
		if n > maxNonStarters {
			return true
		}
		i += p.Size()
	}
	return false
}

// composeAll is nfc without the stream-safe insertion: decompose each
// character, order the marks, compose.
//
// Source: UAX #15 and Unicode 3.11, D108-D117.
func composeAll(s string) string {
	type char struct {
		r   rune
		ccc uint8
	}
	var chars []char
	flush := 0 // start of the marks not yet ordered
	order := func() {
		slices.SortStableFunc(chars[flush:], func(a, b char) int { return int(a.ccc) - int(b.ccc) })
		flush = len(chars)
	}
	for _, r := range s {
		for _, d := range norm.NFD.String(string(r)) {
			ccc := norm.NFD.PropertiesString(string(d)).CCC()
			if ccc == 0 {
				order()
				chars = append(chars, char{d, 0})
				flush = len(chars)
				continue
			}
			chars = append(chars, char{d, ccc})
		}
	}
	order()
	starter, last := -1, uint8(0)
	out := chars[:0]
	for _, c := range chars {
		if starter >= 0 && (len(out)-1 == starter || last < c.ccc) {
			if p, ok := composePair(out[starter].r, c.r); ok {
				out[starter].r = p
				continue
			}
		}
		if c.ccc == 0 {
			starter = len(out)
		}
		last = c.ccc
		out = append(out, c)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range out {
		b.WriteRune(c.r)
	}
	return b.String()
}

// composePair returns the primary composite of two characters, if there is one.
func composePair(a, b rune) (rune, bool) {
	s := norm.NFC.String(string([]rune{a, b}))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
