package ptb

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func asciiLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func asciiDigit(c byte) bool  { return c >= '0' && c <= '9' }
func asciiAlnum(c byte) bool  { return asciiLetter(c) || asciiDigit(c) }
func asciiUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }

// space is the length of the white space character at the start of s, or 0.
func space(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1
	case c == '&' && strings.HasPrefix(s, "&nbsp;"):
		return 6
	case c < utf8.RuneSelf:
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == 0x85 || r == 0xa0 || r >= 0x2000 && r <= 0x200a || r == 0x2028 || r == 0x2029 || r == 0x3000 {
		return n
	}
	return 0
}

// blank is space without the line breaks: what may stand inside a token.
func blank(s string) int {
	if s == "" {
		return 0
	}
	if s[0] == ' ' || s[0] == '\t' {
		return 1
	}
	if s[0] < utf8.RuneSelf && s[0] != '&' {
		return 0
	}
	n := space(s)
	if r, _ := utf8.DecodeRuneInString(s); r == 0x85 || r == 0x2028 || r == 0x2029 {
		return 0
	}
	return n
}

// letter is the length of the letter at the start of s, or 0. The official
// lexer works on UTF-16 units: what needs two (emoji, rare scripts) is no
// letter and is dropped. A named accent ("&eacute;") is one letter.
func letter(s string) int {
	if s == "" {
		return 0
	}
	if c := s[0]; c < utf8.RuneSelf {
		if asciiLetter(c) {
			return 1
		}
		if c == '&' {
			return accent(s)
		}
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	if r > 0xffff || r == utf8.RuneError {
		return 0
	}
	if unicode.IsLetter(r) || r == 0xad || r >= 0x300 && unicode.IsMark(r) ||
		r >= 0x2c2 && r <= 0x2c5 || r >= 0x2d2 && r <= 0x2df || r >= 0x2e5 && r <= 0x2ff {
		return n
	}
	return 0
}

// accent is the length of "&eacute;" and its kin at the start of s, or 0.
func accent(s string) int {
	if len(s) < 6 || !strings.ContainsRune("aeiouAEIOU", rune(s[1])) {
		return 0
	}
	for _, name := range [...]string{"acute;", "grave;", "uml;"} {
		if strings.HasPrefix(s[2:], name) {
			return 2 + len(name)
		}
	}
	return 0
}

// digit is the length of the decimal digit at the start of s, or 0.
func digit(s string) int {
	if s == "" {
		return 0
	}
	if s[0] < utf8.RuneSelf {
		if asciiDigit(s[0]) {
			return 1
		}
		return 0
	}
	if r, n := utf8.DecodeRuneInString(s); r <= 0xffff && unicode.IsDigit(r) {
		return n
	}
	return 0
}

func alnum(s string) int {
	if n := letter(s); n > 0 {
		return n
	}
	return digit(s)
}

// run is the length of the longest prefix made of class.
func run(s string, class func(string) int) int {
	i := 0
	for {
		n := class(s[i:])
		if n == 0 {
			return i
		}
		i += n
	}
}

// apos is the length of the apostrophe at the start of s, or 0.
func apos(s string) int {
	switch {
	case s == "":
		return 0
	case s[0] == '\'':
		return 1
	case strings.HasPrefix(s, "\u2019"):
		return len("\u2019")
	case strings.HasPrefix(s, "\u0092"):
		return len("\u0092")
	case strings.HasPrefix(s, "&apos;"):
		return 6
	}
	return 0
}

// digits counts ASCII digits at the start of s, at most limit.
func digits(s string, limit int) int {
	n := 0
	for n < len(s) && n < limit && asciiDigit(s[n]) {
		n++
	}
	return n
}
