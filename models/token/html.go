package token

import (
	"html"
	"strings"
	"unicode/utf8"
)

// unescapeHTML is Python's html.unescape. Go's html.UnescapeString differs: it
// keeps control characters and noncharacters that Python drops, and stops at
// other characters after a name.
//
// Source: Python's html module; HTML 5, "named character references".
func unescapeHTML(s string) string {
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
		value, n := charRef(s)
		b.WriteString(value)
		s = s[n:]
	}
}

// charRef resolves the character reference at the start of s, which begins with
// '&': its text and how many bytes of s it replaces. What is none gives "&", 1.
func charRef(s string) (string, int) {
	if value, n := numericRef(s); n > 0 {
		return value, n
	}
	end, count := 1, 0
	for end < len(s) && count < 32 && !strings.ContainsRune("\t\n\f <&#;", rune(s[end])) {
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
		count++
	}
	if count == 0 {
		return "&", 1
	}
	if end < len(s) && s[end] == ';' {
		if value := entity(s[1 : end+1]); value != "" {
			return value, end + 1
		}
		end++
	} else if value := entity(s[1:end]); value != "" {
		return value, end
	}
	// The longest name that needs no semicolon; they have 2 to 6 letters.
	for x := min(end-2, 6); x > 1; x-- {
		if value := entity(s[1 : 1+x]); value != "" && isASCII(s[1:1+x]) {
			return value, 1 + x
		}
	}
	return s[:end], end
}

// entity returns the text of an HTML 5 entity ("amp", "amp;"), or "" if there is
// none of exactly this name. The standard library keeps the table but only
// unescapes whole texts, by the longest known prefix; so tell from the result
// whether all of the name was used. It lacks the two whose text is longer than
// their name.
func entity(name string) string {
	switch name {
	case "nGt;":
		return "≫\u20D2"
	case "nLt;":
		return "≪\u20D2"
	}
	value := html.UnescapeString("&" + name)
	switch {
	case value[0] == '&' && len(value) > 1:
		return "" // nothing resolved, or only a prefix that gave "&"
	case !strings.HasSuffix(name, ";"):
		// Names without a semicolon are single characters of Latin-1.
		if utf8.RuneCountInString(value) != 1 {
			return ""
		}
	case strings.HasSuffix(value, ";") && name != "semi;":
		return ""
	}
	return value
}

// numericRef resolves &#123; and &#x1F; at the start of s, the semicolon being
// optional. n is 0 where there is none.
func numericRef(s string) (value string, n int) {
	if len(s) < 3 || s[1] != '#' {
		return "", 0
	}
	i, base := 2, 10
	if s[2] == 'x' || s[2] == 'X' {
		i, base = 3, 16
	}
	start, num := i, 0
	for i < len(s) {
		d := digit(s[i])
		if d >= base {
			break
		}
		num = min(num*base+d, utf8.MaxRune+1)
		i++
	}
	if i == start {
		return "", 0
	}
	if i < len(s) && s[i] == ';' {
		i++
	}
	return codePoint(rune(num)), i
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 16
}

// codePoint is the text of a numeric reference: 0x80-0x9F mean Windows-1252,
// what cannot be a character is U+FFFD, and what may not appear vanishes.
func codePoint(num rune) string {
	switch {
	case num == 0 || num > utf8.MaxRune || num >= 0xD800 && num <= 0xDFFF:
		return "\uFFFD"
	case num == '\r':
		return "\r"
	case num >= 0x80 && num <= 0x9F:
		return string(fixC1(num))
	case num < 0x09, num == 0x0B, num >= 0x0E && num < 0x20, num == 0x7F,
		num >= 0xFDD0 && num <= 0xFDEF, num&0xFFFE == 0xFFFE:
		return ""
	}
	return string(num)
}
