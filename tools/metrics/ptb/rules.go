package ptb

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// take keeps the longer of two matches.
func (m *match) take(size, total int) {
	if size > 0 && total > m.total {
		*m = match{size: size, total: total}
	}
}

// takeAs is take for a token that is written differently.
func (m *match) takeAs(size int, text string) {
	if size > m.total {
		*m = match{size: size, total: size, text: text}
	}
}

// longest applies every rule that can start with s's first character.
func (l *lexer) longest(s string) match {
	var m match
	c := s[0]
	switch {
	case asciiAlnum(c) || c >= utf8.RuneSelf || c == '&':
		l.wordRules(s, &m)
	case c == '.' || c == ',' || c == ':' || c == '+' || c == '-':
		m.number(s)
	}
	switch {
	case asciiDigit(c) || c == '(' || c == '+':
		n := phone(s)
		m.take(n, n)
	}
	m.apostrophe(s)
	m.marks(s)
	return m
}

func (m *match) number(s string) {
	n := number(s)
	m.take(n, n)
}

// wordRules are those for words, numbers, addresses and abbreviations.
func (l *lexer) wordRules(s string, m *match) {
	w := word(s)
	if w > 0 {
		if k := splitWord(s[:w]); k > 0 {
			*m = match{size: w, total: w, text: strings.ToLower(s[:k]), second: strings.ToLower(s[k:w])}
		}
		if k := auxiliary(s[w:]); k > 0 {
			m.take(w, w+k)
		}
		if size, total := negated(s); size > 0 {
			m.take(size, total)
		}
		m.take(w, w)
		m.stopped(s, w)
	}
	n := innerApostrophe(s)
	m.take(n, n)
	n = address(s)
	m.take(n, n)
	n = email(s)
	m.take(n, n)
	if digit(s) > 0 {
		n = date(s)
		m.take(n, n)
		m.number(s)
		n = fraction(s)
		m.take(n, n)
	}
	n = special(s)
	m.take(n, n)
	n = filename(s)
	m.take(n, n)
	n = slashed(s)
	m.take(n, n)
	n = capitals(s)
	m.take(n, n)
	m.stopped(s, n)
	n = hyphenated(s)
	m.take(n, n)
	m.stopped(s, n)
	for n = 0; n < len(s) && asciiUpper(s[n]); n++ {
	}
	if n > 0 && n < len(s) && s[n] == '$' {
		m.take(n+1, n+1)
	}
	l.stops(s, m)
	n = compound(s)
	m.take(n, n)
	m.stopped(s, n)
}

// word is letters and digits, begun by a letter, continued over an inner
// ".", "!" or "?" that a letter follows ("dog.cat" is one word).
func word(s string) int {
	n := letter(s)
	if n == 0 {
		return 0
	}
	for {
		n += run(s[n:], alnum)
		if n+1 >= len(s) || s[n] != '.' && s[n] != '!' && s[n] != '?' {
			return n
		}
		k := letter(s[n+1:])
		if k == 0 {
			return n
		}
		n += 1 + k
	}
}

// auxiliary is "'s", "'re" and the like at the start of s, with their case.
func auxiliary(s string) int {
	n := apos(s)
	if n == 0 || n == len(s) {
		return 0
	}
	if strings.IndexByte("msdMSD", s[n]) >= 0 {
		return n + 1
	}
	if n+2 <= len(s) {
		switch strings.ToLower(s[n : n+2]) {
		case "ll", "re", "ve":
			return n + 2
		}
	}
	return 0
}

// negation is "n't" at the start of s.
func negation(s string) int {
	if s == "" || s[0]|0x20 != 'n' {
		return 0
	}
	n := 1 + apostropheLike(s[1:])
	if n == 1 || n == len(s) || s[n]|0x20 != 't' {
		return 0
	}
	return n + 1
}

// negated finds a word ending before "n't": the word and both lengths.
func negated(s string) (size, total int) {
	for n := 0; n < len(s) && asciiLetter(s[n]); n++ {
		if n > 0 && s[n-1]|0x20 != 'n' {
			if k := negation(s[n:]); k > 0 {
				return n, n + k
			}
		}
	}
	return 0, 0
}

// apostropheLike also takes the opening quotes people type for apostrophes.
func apostropheLike(s string) int {
	if n := apos(s); n > 0 {
		return n
	}
	for _, q := range [...]string{"`", "\u2018", "\u0091", "\u201b"} {
		if strings.HasPrefix(s, q) {
			return len(q)
		}
	}
	return 0
}

func unicodeLetter(s string) int {
	if s == "" || s[0] == '&' {
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	if r > 0xffff || !unicode.IsLetter(r) {
		return 0
	}
	return n
}

// innerApostrophe is a word with an apostrophe of its own: "O'Neil", "ma'am",
// "n'est", "somethin'".
func innerApostrophe(s string) int {
	best := 0
	letters := run(s, unicodeLetter)
	if letters == 0 {
		return 0
	}
	first := s[0]
	if q := apos(s[1:]); q > 0 && strings.IndexByte("lLdDjJ", first) >= 0 {
		best = 1 + q
	}
	if q := apostropheLike(s[1:]); q > 0 && (asciiUpper(first) && first != 'I' && first != 'Y' || first == 'n') {
		if k := run(s[1+q:], unicodeLetter); k >= 2 {
			best = max(best, 1+q+k)
		}
	}
	if q := apostropheLike(s[letters:]); q > 0 && letters > 1 && strings.IndexByte("aeiouyAEIOUY", s[letters-1]) >= 0 {
		if rest := s[letters+q:]; rest != "" && (strings.IndexByte("aeiou", rest[0]) >= 0 || asciiUpper(rest[0])) {
			best = max(best, letters+q+run(rest, unicodeLetter))
		}
	}
	if q := apos(s[letters:]); q > 0 {
		switch w := s[:letters]; {
		case strings.EqualFold(w, "dunkin"), strings.EqualFold(w, "somethin"), strings.EqualFold(w, "ol"),
			strings.EqualFold(w, "y") && unicodeLetter(s[letters+q:]) > 0:
			best = max(best, letters+q)
		}
	}
	if s[0] < utf8.RuneSelf {
		for _, w := range [...]string{"cont'd.", "cont'd", "nor'easter", "c'mon", "e'er", "s'mores", "ev'ry", "li'l", "nat'l"} {
			if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
				best = max(best, len(w))
			}
		}
	}
	return best
}

// hyphenated is letters and digits joined by single hyphens or underscores;
// each part may have an elision ("d'angelo-x", "o'clock").
func hyphenated(s string) int {
	part := func(s string) int {
		best := run(s, alnum)
		if s != "" && strings.IndexByte("dDoOlL", s[0]) >= 0 {
			if q := apostropheLike(s[1:]); q > 0 && 2+q < len(s) && asciiAlnum(s[1+q]) {
				if k := run(s[1+q:], alnum); k > 1 {
					best = max(best, 1+q+k)
				}
			}
		}
		return best
	}
	n := part(s)
	for n > 0 && n < len(s) && (s[n] == '-' || s[n] == '_') {
		k := part(s[n+1:])
		if k == 0 {
			break
		}
		n += 1 + k
	}
	return n
}

// compound is a word that may hold full stops and commas, then parts joined by
// hyphens, each a plain word or an acronym: "1,000-pound", "non-U.S.", "U.S.-based".
func compound(s string) int {
	if !asciiAlnum(s[0]) {
		return 0
	}
	n := run(s, func(s string) int {
		if s != "" && (asciiAlnum(s[0]) || s[0] == '.' || s[0] == ',') {
			return 1
		}
		return softHyphen(s)
	})
	best := 0
	for n < len(s) && s[n] == '-' {
		k := run(s[n+1:], func(s string) int {
			if s != "" && asciiAlnum(s[0]) {
				return 1
			}
			return softHyphen(s)
		})
		k = max(k, stoppedAcronym(s[n+1:]))
		if k == 0 {
			break
		}
		n += 1 + k
		best = n
	}
	return best
}

func softHyphen(s string) int {
	if strings.HasPrefix(s, "\u00ad") {
		return 2
	}
	return 0
}

// acronym is letters joined by full stops, the last letter being the end.
func acronym(s string) int {
	if s == "" || !asciiLetter(s[0]) {
		return 0
	}
	n := 1
	for n+1 < len(s) && s[n] == '.' && asciiLetter(s[n+1]) {
		n += 2
	}
	return n
}

// stoppedAcronym is an acronym of two letters or more with its last full stop.
func stoppedAcronym(s string) int {
	best := 0
	for n := 0; n+1 < len(s) && asciiLetter(s[n]) && s[n+1] == '.'; n += 2 {
		if n > 0 {
			best = n + 2
		}
	}
	return best
}

// slashed is two or three words joined by slashes: "and/or", "a/b/c".
func slashed(s string) int {
	part := func(s string) int {
		n := 0
		for n < len(s) && asciiAlnum(s[n]) {
			n++
		}
		for k := 0; n > 0 && k < 2 && n < len(s) && s[n] == '-'; k++ {
			e := n + 1
			for e < len(s) && asciiLetter(s[e]) {
				e++
			}
			if e == n+1 {
				break
			}
			n = e
		}
		return n
	}
	n := part(s)
	if n == 0 {
		return 0
	}
	parts := 1
	for parts < 3 && n < len(s) {
		k := n
		if s[k] == '\\' {
			k++
		}
		if k >= len(s) || s[k] != '/' {
			break
		}
		p := part(s[k+1:])
		if p == 0 {
			break
		}
		n = k + 1 + p
		parts++
	}
	if parts == 1 {
		return 0
	}
	return n
}

// capitals is capitals joined by "&" or "+": "AT&T".
func capitals(s string) int {
	upper := func(s string) int {
		n := 0
		for n < len(s) && asciiUpper(s[n]) {
			n++
		}
		return n
	}
	n := upper(s)
	if n == 0 {
		return 0
	}
	joined := 0
	for n < len(s) && (s[n] == '&' || s[n] == '+') {
		k := 1
		if len(s) >= n+5 && strings.EqualFold(s[n:n+5], "&amp;") {
			k = 5
		}
		u := upper(s[n+k:])
		if u == 0 {
			break
		}
		n += k + u
		joined++
	}
	if joined == 0 {
		return 0
	}
	return n
}
