package token

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is a single-byte character set, both ways.
type encoding struct {
	sloppy   bool
	macRoman bool
	decode   [256]rune
	encode   map[rune]byte
}

// Places in encodings.
const (
	windows1252 = 1
	macRoman    = 8
)

// encodings returns the character sets that mojibake is tried against, in
// ftfy's order. Sloppy ones give unassigned bytes their Latin-1 meaning and let
// byte 1A stand for U+FFFD.
//
// Source: ftfy 6.3.1, chardata.CHARMAP_ENCODINGS and bad_codecs/sloppy.py.
var encodings = sync.OnceValue(func() []*encoding {
	list := []*encoding{
		newEncoding(charmap.ISO8859_1, false),
		newEncoding(charmap.Windows1252, true),
		newEncoding(charmap.Windows1251, true),
		newEncoding(charmap.Windows1250, true),
		newEncoding(charmap.Windows1253, true),
		newEncoding(charmap.Windows1254, true),
		newEncoding(charmap.Windows1257, true),
		newEncoding(charmap.ISO8859_2, false),
		newEncoding(charmap.Macintosh, false),
		newEncoding(charmap.CodePage437, false),
	}
	list[macRoman].macRoman = true
	return list
})

func newEncoding(m *charmap.Charmap, sloppy bool) *encoding {
	e := &encoding{sloppy: sloppy, encode: make(map[rune]byte, 256)}
	for i := range e.decode {
		r := m.DecodeByte(byte(i))
		if r == utf8.RuneError {
			r = rune(i)
		}
		if sloppy && i == 0x1A {
			r = utf8.RuneError
		}
		e.decode[i] = r
		e.encode[r] = byte(i)
	}
	return e
}

// bytes encodes text, or reports that it holds a character e lacks.
func (e *encoding) bytes(text []rune) ([]byte, bool) {
	out := make([]byte, len(text))
	for i, r := range text {
		if r < utf8.RuneSelf && r != 0x1A {
			out[i] = byte(r)
			continue
		}
		c, ok := e.encode[r]
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, true
}

// utf8Variants decodes UTF-8 that may hold CESU-8 pairs and Java's two-byte
// zero. ok is false for anything else that is not UTF-8.
//
// Source: ftfy 6.3.1, bad_codecs/utf8_variants.py.
func utf8Variants(b []byte) (string, bool) {
	if utf8.Valid(b) {
		return string(b), true
	}
	var s strings.Builder
	for i := 0; i < len(b); {
		if b[i] == 0xC0 && i+1 < len(b) && b[i+1] == 0x80 {
			s.WriteByte(0)
			i += 2
			continue
		}
		if i+5 < len(b) && b[i] == 0xED && in(b[i+1], 0xA0, 0xAF) && cont(b[i+2]) &&
			b[i+3] == 0xED && in(b[i+4], 0xB0, 0xBF) && cont(b[i+5]) {
			s.WriteRune(0x10000 + rune(b[i+1]&0x0F)<<16 + rune(b[i+2]&0x3F)<<10 + rune(b[i+4]&0x0F)<<6 + rune(b[i+5]&0x3F))
			i += 6
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return "", false
		}
		s.WriteRune(r)
		i += n
	}
	return s.String(), true
}

func in(c, low, high byte) bool { return c >= low && c <= high }

func cont(c byte) bool { return c&0xC0 == 0x80 }

// alteredLength returns the length of a UTF-8 sequence at the start of b in
// which a space stands where byte A0 was, or 0.
//
// Source: ftfy 6.3.1, chardata.ALTERED_UTF8_RE.
func alteredLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	mid := func(c byte) bool { return cont(c) && c != 0x85 && c != 0xA0 }
	switch c := b[0]; {
	case strings.IndexByte("\xc2\xc3\xc5\xce\xd0\xd9", c) >= 0:
		if b[1] == ' ' {
			return 2
		}
	case in(c, 0xE0, 0xE3) && len(b) >= 3:
		if c >= 0xE2 && b[1] == ' ' && mid(b[2]) || mid(b[1]) && b[2] == ' ' {
			return 3
		}
	case c == 0xF0 && len(b) >= 4:
		spaces := 0
		for _, c := range b[1:4] {
			switch {
			case c == ' ':
				spaces++
			case !cont(c):
				return 0
			}
		}
		if spaces == 1 {
			return 4
		}
	}
	return 0
}

// restoreA0 puts byte A0 back where a space took its place, if any sequence
// looks like that.
//
// Source: ftfy 6.3.1, fixes.restore_byte_a0.
func restoreA0(b []byte) []byte {
	found := false
	for i := range b {
		if alteredLength(b[i:]) > 0 {
			found = true
			break
		}
	}
	if !found {
		return b
	}
	// "Ã la" was "à la": keep the space as a word's end, unless it is one of
	// the Portuguese words that begin with à.
	grave := make([]byte, 0, len(b)+8)
	for i := 0; i < len(b); i++ {
		if b[i] == 0xC3 && i+1 < len(b) && b[i+1] == ' ' && !hasAnyPrefix(b[i+2:], " ", "quele", "quela", "quilo", "s ") {
			grave = append(grave, 0xC3, 0xA0, ' ')
			i++
			continue
		}
		grave = append(grave, b[i])
	}
	for i := 0; i < len(grave); {
		n := alteredLength(grave[i:])
		for j := i; j < i+n; j++ {
			if grave[j] == ' ' {
				grave[j] = 0xA0
			}
		}
		i += max(n, 1)
	}
	return grave
}

func hasAnyPrefix(b []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(b) >= len(p) && string(b[:len(p)]) == p {
			return true
		}
	}
	return false
}

// lossyLength returns the length of a UTF-8 sequence at the start of b in which
// bytes were lost (1A, or one '?'), or 0.
//
// Source: ftfy 6.3.1, chardata.LOSSY_UTF8_RE.
func lossyLength(b []byte) int {
	c := b[0]
	switch {
	case c == 0x1A:
		return 1
	case in(c, 0xC2, 0xDF):
		if len(b) > 1 && (b[1] == 0x1A || b[1] == '?' && c <= 0xC3) {
			return 2
		}
		return 0
	case c < 0xE0 || c > 0xF4:
		return 0
	}
	if c == 0xED && len(b) >= 6 && in(b[1], 0xA0, 0xAF) && b[3] == 0xED && in(b[4], 0xB0, 0xBF) {
		lost2, lost5 := b[2] == 0x1A || b[2] == '?', b[5] == 0x1A || b[5] == '?'
		if lost2 && (lost5 || cont(b[5])) || lost5 && cont(b[2]) {
			return 6
		}
	}
	n := 3
	if c >= 0xF0 {
		n = 4
	}
	if len(b) < n {
		return 0
	}
	lost, asked := 0, 0
	for _, c := range b[1:n] {
		switch {
		case c == 0x1A:
			lost++
		case c == '?':
			asked++
		case !cont(c):
			return 0
		}
	}
	if asked > 1 || lost+asked == 0 {
		return 0
	}
	return n
}

// replaceLossy replaces such sequences by U+FFFD.
func replaceLossy(b []byte) []byte {
	out := make([]byte, 0, len(b)+8)
	for i := 0; i < len(b); {
		if n := lossyLength(b[i:]); n > 0 {
			out = append(out, "\uFFFD"...)
			i += n
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out
}
