package meteor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Normalise splits a lower-case text into METEOR's words: punctuation apart,
// hyphens opened, acronyms joined ("u.s." is "us"). prefixes are words that
// keep a full stop ("vs.").
// Source: the Moses tokenizer's rules for English, which METEOR's -norm option
// applies, and its treatment of hyphens and acronyms as observed.
func Normalise(text string, prefixes map[string]bool) []string {
	if plain(text) {
		return strings.Fields(text)
	}
	text = strings.ToLower(quoteMarks.Replace(text))
	text = separate(text)
	text = quotes(text)
	text = hyphens(text)
	words := strings.Fields(text)
	out := make([]string, 0, len(words)+4)
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		out = appendStopped(out, w, next, prefixes)
	}
	return out
}

// plain says whether text is nothing but lower-case ASCII words.
func plain(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != ' ' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

var quoteMarks = strings.NewReplacer("\u201c", `"`, "\u201d", `"`, "\u2018", "'", "\u2019", "'", "\u00ab", `"`, "\u00bb", `"`)

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf && unicode.IsLetter(r)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// separate puts spaces around everything but letters, digits and .'`,-; commas
// only stay inside numbers; runs of full stops become words of their own.
func separate(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 16)
	r := []rune(" " + text + " ")
	for i := 1; i < len(r)-1; i++ {
		c := r[i]
		switch {
		case isAlnum(c) || c == '\'' || c == '`' || c == '-' && r[i+1] != '-':
			b.WriteRune(c)
		case unicode.IsSpace(c):
			b.WriteByte(' ')
		case c == '-': // a pair of hyphens is one
			b.WriteByte('-')
			i++
		case c == '.':
			n := 1
			for r[i+n] == '.' {
				n++
			}
			if n > 1 {
				b.WriteString(" " + strings.Repeat(".", n) + " ")
				i += n - 1
			} else {
				b.WriteByte('.')
			}
		case c == ',' && isDigit(r[i-1]) && isDigit(r[i+1]):
			b.WriteByte(',')
		default:
			b.WriteByte(' ')
			b.WriteRune(c)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// quotes rewrites apostrophes: "”" is one word, an apostrophe between letters
// starts a new word with it, any other stands alone.
func quotes(text string) string {
	text = strings.ReplaceAll(text, "`", "'")
	text = strings.ReplaceAll(text, "''", ` " `)
	if !strings.Contains(text, "'") {
		return text
	}
	r := []rune(" " + text + " ")
	var b strings.Builder
	b.Grow(len(text) + 8)
	for i := 1; i < len(r)-1; i++ {
		if r[i] != '\'' {
			b.WriteRune(r[i])
			continue
		}
		before, after := unicode.IsLetter(r[i-1]), unicode.IsLetter(r[i+1])
		switch {
		case before && after, isDigit(r[i-1]) && r[i+1] == 's':
			b.WriteString(" '")
		case isDigit(r[i-1]) && after:
			b.WriteByte('\'')
		default:
			b.WriteString(" ' ")
		}
	}
	return b.String()
}

// hyphens opens "a-b" once per pair of neighbours: a second hyphen right after
// one letter stays ("b-a-c" is "b a-c").
func hyphens(text string) string {
	if !strings.Contains(text, "-") {
		return text
	}
	r := []rune(text)
	for i := 1; i+1 < len(r); i++ {
		if r[i] == '-' && (isAlnum(r[i-1]) || r[i-1] == '.') && isAlnum(r[i+1]) {
			r[i] = ' '
			i += 2
		}
	}
	return string(r)
}

// appendStopped appends w, without its last full stop unless w is an acronym,
// a known prefix or before a lower-case word.
func appendStopped(out []string, w, next string, prefixes map[string]bool) []string {
	pre, ok := strings.CutSuffix(w, ".")
	if !ok || pre == "" || strings.HasSuffix(pre, ".") {
		return append(out, w)
	}
	if strings.Contains(pre, ".") && strings.ContainsFunc(pre, unicode.IsLetter) {
		return append(out, strings.ReplaceAll(pre, ".", ""))
	}
	if prefixes[pre] || next != "" && next[0] >= 'a' && next[0] <= 'z' {
		return append(out, w)
	}
	return append(out, pre, ".")
}
