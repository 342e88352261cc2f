package ptb

import (
	"strings"
	"unicode/utf8"
)

// number is [+-]? then digits with inner ".", "," or ":" groups; the first
// group may be missing (".5", ":30").
func number(s string) int {
	sign := 0
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign = 1
	}
	n := sign + run(s[sign:], digit)
	for n < len(s) {
		sep := 0
		switch {
		case s[n] == '.' || s[n] == ',' || s[n] == ':':
			sep = 1
		case strings.HasPrefix(s[n:], "\u00ad") || strings.HasPrefix(s[n:], "\u066b") || strings.HasPrefix(s[n:], "\u066c"):
			sep = 2
		}
		k := 0
		if sep > 0 {
			k = run(s[n+sep:], digit)
		}
		if k == 0 {
			break
		}
		n += sep + k
	}
	if n == sign {
		return 0
	}
	return n
}

// date is 1-2 digits, 1-2 digits and 2-4 digits joined by "-" or "/".
func date(s string) int {
	n := digits(s, 2)
	for _, limit := range [...]int{2, 4} {
		if n == 0 || n >= len(s) || s[n] != '-' && s[n] != '/' {
			return 0
		}
		k := digits(s[n+1:], limit)
		if k == 0 || limit == 4 && k < 2 {
			return 0
		}
		n += 1 + k
	}
	return n
}

// fraction is "1/2" with up to four digits a side, and a whole number before
// it ("1 1/2", "10-1/2").
func fraction(s string) int {
	simple := func(s string) int {
		n := digits(s, 4)
		if n == 0 || n >= len(s) {
			return 0
		}
		switch {
		case s[n] == '/':
			n++
		case strings.HasPrefix(s[n:], `\/`):
			n += 2
		case strings.HasPrefix(s[n:], "\u2044"):
			n += len("\u2044")
		default:
			return 0
		}
		k := digits(s[n:], 4)
		if k == 0 {
			return 0
		}
		return n + k
	}
	best := simple(s)
	if n := digits(s, 4); n > 0 && n < len(s) {
		sep := blank(s[n:])
		if s[n] == '-' {
			sep = 1
		}
		if sep > 0 {
			if k := simple(s[n+sep:]); k > 0 {
				best = max(best, n+sep+k)
			}
		}
	}
	return best
}

// phone is the longest telephone number: optional "+", area code in brackets
// or groups of 2-4 digits, then 3-4 and 3-5 digits, joined by spaces, hyphens
// or (all of them) by full stops.
func phone(s string) int {
	best := 0
	if s[0] == '(' {
		for k := 2; k <= 3; k++ {
			if digits(s[1:], 3) >= k && 1+k < len(s) && s[1+k] == ')' {
				n := 2 + k
				best = max(best, phoneTail(s, n), phoneTail(s, n+phoneSpace(s[n:])))
			}
		}
		return best
	}
	plus := 0
	for plus < len(s) && plus < 2 && s[plus] == '+' {
		plus++
	}
	groups(s, plus, func(n int) {
		if sep := phoneSep(s[n:]); sep > 0 {
			best = max(best, phoneTail(s, n+sep))
			groups(s, n+sep, func(n int) {
				if sep := phoneSep(s[n:]); sep > 0 {
					best = max(best, phoneTail(s, n+sep))
				}
			})
		}
		if n < len(s) && s[n] == '.' {
			if plus == 0 {
				best = max(best, dotTail(s, n+1))
			}
			groups(s, n+1, func(n int) {
				if n < len(s) && s[n] == '.' {
					best = max(best, dotTail(s, n+1))
				}
			})
		}
	})
	return best
}

// groups calls f with the end of each run of 2, 3 or 4 digits from s[n:].
func groups(s string, n int, f func(end int)) {
	for k := digits(s[n:], 4); k >= 2; k-- {
		f(n + k)
	}
}

func phoneSpace(s string) int {
	switch {
	case strings.HasPrefix(s, " "):
		return 1
	case strings.HasPrefix(s, "\u00a0"):
		return 2
	}
	return 0
}

func phoneSep(s string) int {
	if strings.HasPrefix(s, "-") {
		return 1
	}
	return phoneSpace(s)
}

// phoneTail ends a number: 3-4 digits, a separator or none, 3-5 digits.
func phoneTail(s string, n int) int {
	best := 0
	for k := digits(s[n:], 4); k >= 3; k-- {
		for _, sep := range [...]int{0, phoneSep(s[n+k:])} {
			if d := digits(s[n+k+sep:], 5); d >= 3 {
				best = max(best, n+k+sep+d)
			}
		}
	}
	return best
}

func dotTail(s string, n int) int {
	best := 0
	for k := digits(s[n:], 4); k >= 3; k-- {
		if e := n + k; e < len(s) && s[e] == '.' {
			if d := digits(s[e+1:], 5); d >= 3 {
				best = max(best, e+1+d)
			}
		}
	}
	return best
}

// currency maps signs to what Treebank writes.
func currency(r rune) (string, bool) {
	switch r {
	case '\u00a2':
		return "cents", true
	case '\u00a3':
		return "#", true
	case '\u20ac', '\u0080':
		return "$", true
	}
	return "", false
}

// vulgar maps the ready-made fractions.
func vulgar(r rune) (string, bool) {
	switch r {
	case '\u00bc':
		return "1/4", true
	case '\u00bd':
		return "1/2", true
	case '\u00be':
		return "3/4", true
	case '\u2153':
		return "1/3", true
	case '\u2154':
		return "2/3", true
	}
	return "", false
}

// units counts s in UTF-16 units, as the official lexer's patterns do.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

func firstRune(s string) (rune, int) { return utf8.DecodeRuneInString(s) }
