package ptb

import (
	"strings"
	"unicode/utf8"
)

// stopped takes a word of length n with a full stop that stands before a
// comma, colon or semicolon: "bat.," keeps its stop.
func (m *match) stopped(s string, n int) {
	if n > 0 && n+1 < len(s) && s[n] == '.' && (strings.IndexByte(",;:", s[n+1]) >= 0 || strings.HasPrefix(s[n+1:], "\u3001")) {
		m.take(n+1, n+2)
	}
}

// stops handles words with full stops: abbreviations and acronyms.
func (l *lexer) stops(s string, m *match) {
	n := 0
	for n < len(s) && asciiLetter(s[n]) {
		n++
	}
	if n == 0 || n == len(s) || s[n] != '.' {
		return
	}
	kind := abbreviationKind(s[:n])
	if n == 1 && l.startsSentence(s[2:]) {
		m.take(1, len(s)+len(l.next)+2) // the stop ends the sentence
		return
	}
	switch {
	case kind == ender:
		// This rule looks two characters past the stop, so "Jan.y" is cut and
		// "Mr.Smith" is not.
		m.take(n+1, n+1+ahead(s[n+1:]))
	case kind == title || kind == numeric && l.beforeNumber(s[n+1:]):
		m.take(n+1, n+1)
	}
	if n == 1 {
		n = acronym(s)
		m.take(n, n)
		if n < len(s) && s[n] == '.' {
			m.take(n+1, n+1)
		}
	} else if (strings.EqualFold(s[:n], "ph") || strings.EqualFold(s[:n], "ed")) && len(s) >= n+3 && s[n+1]|0x20 == 'd' && s[n+2] == '.' {
		m.take(n+3, n+3+ahead(s[n+3:]))
	}
}

// ahead is the length of at most two characters, the line's end included.
func ahead(s string) int {
	n := 0
	for range 2 {
		if n >= len(s) {
			return n + 1
		}
		_, k := utf8.DecodeRuneInString(s[n:])
		n += k
	}
	return n
}

func (l *lexer) beforeNumber(s string) bool {
	if s == "" {
		s = l.next
	}
	return digit(s[blank(s):]) > 0
}

// startsSentence says whether after (what follows a full stop, up to the
// line's end and on into the next line) is space and a sentence-opening word.
func (l *lexer) startsSentence(after string) bool {
	k := run(after, space)
	rest := after[k:]
	if rest == "" {
		rest = l.next[run(l.next, space):]
	} else if k == 0 {
		return false
	}
	n := 0
	for n < len(rest) && asciiLetter(rest[n]) {
		n++
	}
	if n == 0 || !asciiUpper(rest[0]) {
		return false
	}
	if n == 2 && strings.HasPrefix(rest[n:], ".") && (len(rest) == n+1 || space(rest[n+1:]) > 0) && (strings.EqualFold(rest[:n], "mr") || strings.EqualFold(rest[:n], "ms")) {
		return true
	}
	return (n == len(rest) || space(rest[n:]) > 0) && listed(sentenceStarts, rest[:1]+strings.ToLower(rest[1:n]))
}
