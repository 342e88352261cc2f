package token

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// fixEncoding undoes text that was written as UTF-8 and read as something else,
// as often as that was done, at most rounds times.
//
// Source: ftfy 6.3.1, fix_encoding.
func fixEncoding(s string, rounds int) string {
	for range rounds {
		next := fixEncodingOnce(s, rounds)
		if next == s {
			break
		}
		s = next
	}
	return s
}

func fixEncodingOnce(s string, rounds int) string {
	if isASCII(s) {
		return s
	}
	text := []rune(s)
	if !isBad(text) {
		return s
	}
	for _, e := range encodings() {
		b, ok := e.bytes(text)
		if !ok {
			continue
		}
		// Not in Mac Roman, where it would match an en dash and a space.
		if !e.macRoman {
			b = restoreA0(b)
		}
		if e.sloppy {
			b = replaceLossy(b)
		}
		if bytes.IndexByte(b, 0xED) >= 0 || bytes.IndexByte(b, 0xC0) >= 0 {
			if fixed, ok := utf8Variants(b); ok {
				return fixed
			}
		} else if utf8.Valid(b) {
			return string(b)
		}
	}
	if fixed := fixEmbedded(text, rounds); fixed != s {
		return fixed
	}
	// What remains of C1 controls was Windows-1252.
	return strings.Map(fixC1, s)
}

// fixC1 gives a C1 control its meaning in Windows-1252, as browsers do.
func fixC1(r rune) rune {
	if r >= 0x80 && r <= 0x9F {
		return encodings()[windows1252].decode[r]
	}
	return r
}

// fixEmbedded repairs stretches that look like UTF-8 read as one of the
// character sets, inside text that as a whole does not.
//
// Source: ftfy 6.3.1, fixes.decode_inconsistent_utf8, chardata.UTF8_DETECTOR_RE.
func fixEmbedded(text []rune, rounds int) string {
	kinds := kinds()
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 0
		if i == 0 || kinds.of(text[i-1])&strictCont == 0 {
			n = detect(text[i:], kinds)
		}
		if n == 0 {
			b.WriteRune(text[i])
			i++
			continue
		}
		part := text[i : i+n]
		if n < len(text) && isBad(part) {
			b.WriteString(fixEncoding(string(part), rounds))
		} else {
			b.WriteString(string(part))
		}
		i += n
	}
	return b.String()
}

// detect returns how many characters at the start of text are characters that
// UTF-8's lead and continuation bytes turn into, sequence after sequence.
func detect(text []rune, kinds *kindTable) int {
	n := 0
	for n < len(text) {
		want := 0
		switch k := kinds.of(text[n]); {
		case k&lead2 != 0:
			want = 2
		case k&lead3 != 0:
			want = 3
		case k&lead4 != 0:
			want = 4
		}
		if want == 0 || n+want > len(text) {
			break
		}
		for _, r := range text[n+1 : n+want] {
			if kinds.of(r)&anyCont == 0 {
				return n
			}
		}
		n += want
	}
	return n
}
