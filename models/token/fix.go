package token

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fixing runs until nothing changes. A text can be built that needs as many
// rounds as it has characters ("&amp;amp;amp;..."), so the characters looked at
// are bounded: texts below 9000 characters are always exact (a round shortens
// them by at least 4), 10^6 characters get 20 rounds.
const fixBudget = 20e6

// maxSegment is the most characters that are fixed together.
// Source: ftfy 6.3.1, TextFixerConfig.max_decode_length.
const maxSegment = 1_000_000

// fixText is ftfy.fix_text with its defaults, written from its documented
// rules: each line is repaired by itself, and from the first line that holds a
// '<' on, HTML entities are left alone.
//
// Source: ftfy 6.3.1 (Robyn Speer), ftfy/__init__.py and ftfy/fixes.py.
func fixText(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	entities := true
	for s != "" {
		end := strings.IndexByte(s, '\n') + 1
		if end == 0 {
			end = len(s)
		}
		end = runePrefix(s[:end], maxSegment)
		segment := s[:end]
		s = s[end:]
		if strings.Contains(segment, "<") {
			entities = false
		}
		b.WriteString(fixSegment(segment, entities))
	}
	return b.String()
}

// plain reports whether s is ASCII that no step of fixText changes.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7F || c == '&' || c < ' ' && c != '\t' && c != '\n' && c != '\f' {
			return false
		}
	}
	return true
}

// runePrefix returns the length in bytes of the first n characters of s.
func runePrefix(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// fixSegment repeats all steps on one line until they change nothing.
func fixSegment(s string, entities bool) string {
	rounds := max(2, int(fixBudget)/(len(s)+1))
	for range rounds {
		before := s
		if entities {
			s = unescapeEntities(s)
		}
		if !isASCII(s) {
			s = fixEncoding(s, rounds)
			s = fixCharacters(s)
		} else {
			s = fixLineBreaks(s)
		}
		s = removeEscapes(s)
		s = removeControls(s)
		s = nfc(s)
		if s == before {
			break
		}
	}
	return s
}

// unescapeEntities resolves entities that end in a semicolon, and those that
// someone wrote in capitals. Unlike unescapeHTML it leaves "this&not that" alone.
//
// Source: ftfy 6.3.1, fixes.unescape_html.
func unescapeEntities(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		n := 1
		if n < len(s) && s[n] == '#' {
			n++
		}
		first := n
		for n < len(s) && n < first+24 && s[n] < utf8.RuneSelf && (unicode.IsLetter(rune(s[n])) || unicode.IsDigit(rune(s[n]))) {
			n++
		}
		if n == first || n == len(s) || s[n] != ';' {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		n++
		b.WriteString(fixEntity(s[:n]))
		s = s[n:]
	}
}

// fixEntity returns what "&name;" or "&#1;" stands for, or itself.
func fixEntity(ref string) string {
	if ref[1] == '#' {
		if value, n := numericRef(ref); n == len(ref) && value != ";" {
			return value
		}
		return ref
	}
	name := ref[1:]
	if value := entity(name); value != "" {
		return value
	}
	small := strings.ToLower(name)
	if name != strings.ToUpper(name) {
		return ref
	}
	if value := entity(small); value != "" && unescapeHTML(ref) == ref {
		return upper(value)
	}
	return ref
}

// upper is Python's str.upper for the values of entities.
func upper(s string) string {
	if special, ok := map[string]string{
		"ß": "SS", "ŉ": "ʼN", "ﬀ": "FF", "ﬁ": "FI", "ﬂ": "FL", "ﬃ": "FFI", "ﬄ": "FFL",
	}[s]; ok {
		return special
	}
	return strings.ToUpper(s)
}

// ligatures are the Latin letter pairs that ftfy takes apart.
//
// Source: ftfy 6.3.1, chardata.LIGATURES.
func ligature(r rune) string {
	switch r {
	case 'Ĳ':
		return "IJ"
	case 'ĳ':
		return "ij"
	case 'ŉ':
		return "'n" // as U+02BC, which is then straightened
	case 'Ǆ':
		return "DŽ"
	case 'ǅ':
		return "Dž"
	case 'ǆ':
		return "dž"
	case 'Ǉ':
		return "LJ"
	case 'ǈ':
		return "Lj"
	case 'ǉ':
		return "lj"
	case 'Ǌ':
		return "NJ"
	case 'ǋ':
		return "Nj"
	case 'ǌ':
		return "nj"
	case 'Ǳ':
		return "DZ"
	case 'ǲ':
		return "Dz"
	case 'ǳ':
		return "dz"
	case 'ﬀ':
		return "ff"
	case 'ﬁ':
		return "fi"
	case 'ﬂ':
		return "fl"
	case 'ﬃ':
		return "ffi"
	case 'ﬄ':
		return "ffl"
	case 'ﬅ':
		return "ſt"
	case 'ﬆ':
		return "st"
	}
	return ""
}

// fixCharacters maps single characters, in ftfy's order: C1 controls to
// Windows-1252, ligatures apart, full and half width to normal, quotes straight,
// line breaks to "\n".
func fixCharacters(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		r = fixC1(r)
		switch {
		case r < utf8.RuneSelf && r != '\r':
			b.WriteByte(byte(r))
		case r == '\r':
			if !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte('\n')
			}
		case r == '\u02BC', r >= '\u2018' && r <= '\u201B':
			b.WriteByte('\'')
		case r >= '\u201C' && r <= '\u201F':
			b.WriteByte('"')
		case r == '\u2028', r == '\u2029':
			b.WriteByte('\n')
		case r == '\u3000':
			b.WriteByte(' ')
		case r >= 0xFF01 && r <= 0xFFEF:
			b.WriteString(norm.NFKC.String(string(r)))
		default:
			if pair := ligature(r); pair != "" {
				b.WriteString(pair)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// fixLineBreaks is what fixCharacters does to ASCII.
func fixLineBreaks(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// removeEscapes drops terminal colour and cursor sequences: ESC [ 1;2 m.
func removeEscapes(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		rest := strings.TrimLeftFunc(s[2:], func(r rune) bool { return r == ';' || unicode.IsDigit(r) })
		if rest != "" && rest[0] < utf8.RuneSelf && asciiClass[rest[0]] == letter {
			s = rest[1:]
			continue
		}
		b.WriteString(s[:2])
		s = s[2:]
	}
}

// removeControls drops characters that have no visible effect.
//
// Source: ftfy 6.3.1, fixes.remove_control_chars.
func removeControls(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x09, r == 0x0B, r >= 0x0E && r < 0x20, r == 0x7F,
			r >= 0x206A && r <= 0x206F, r == 0xFEFF, r >= 0xFFF9 && r <= 0xFFFC:
			return -1
		}
		return r
	}, s)
}
