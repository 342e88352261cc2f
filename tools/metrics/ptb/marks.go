package ptb

import "strings"

// apostrophe applies the rules that begin with one: "'s", "n't", "'tis",
// "'em", "'90s".
func (m *match) apostrophe(s string) {
	if k := negation(s); k > 0 && (k == len(s) || !asciiLetter(s[k])) {
		m.takeAs(k, "n't")
	}
	q := apos(s)
	if q == 0 {
		return
	}
	rest := s[q:]
	if k := auxiliary(s); k > 0 && (k == len(s) || !asciiLetter(s[k])) {
		m.takeAs(k, "'"+strings.ToLower(s[q:k]))
		m.total++
	} else if k > 0 && s[0] != '\'' {
		m.takeAs(k, "'"+strings.ToLower(s[q:k]))
	}
	low := strings.ToLower(rest[:min(len(rest), 5)])
	if s[0] == '\'' {
		if strings.HasPrefix(low, "tis") || strings.HasPrefix(low, "twas") {
			m.take(2, 5)
		}
	}
	for _, w := range [...]string{"em", "till", "til", "cause"} {
		if strings.HasPrefix(low, w) {
			m.take(q+len(w), q+len(w))
		}
	}
	if strings.HasPrefix(low, "n") {
		m.take(q+1, q+1)
		if k := apos(rest[1:]); k > 0 {
			m.take(q+1+k, q+1+k)
		}
	}
	if s[0] == '\'' && len(rest) >= 2 && asciiLetter(rest[0]) && blank(rest[1:]) == 0 && 3 > m.total {
		*m = match{size: 1, total: 3, text: "`"} // an opening quote
	}
	if len(rest) >= 3 && rest[0] >= '2' && rest[0] <= '9' && rest[1] == '0' && rest[2]|0x20 == 's' {
		m.take(q+3, q+3)
	}
	if digits(rest, 2) == 2 && (len(rest) == 2 || space(rest[2:]) > 0) {
		m.take(q+2, q+3)
	}
}

// marks applies the rules for punctuation, symbols, tags and entities.
func (m *match) marks(s string) {
	c := s[0]
	r, size := firstRune(s)
	switch {
	case c == '<':
		n := tag(s)
		m.take(n, n)
		n = email(s)
		m.take(n, n)
		m.take(1, 1)
		if strings.HasPrefix(s, "<<") {
			m.take(2, 2)
		}
	case c == '>' && strings.HasPrefix(s, ">>"):
		m.take(2, 2)
	case c == '&':
		m.entity(s)
		m.take(1, 1)
	case c == '@' || c == '#':
		n := 1
		for n < len(s) && s[n] == c {
			n++
		}
		m.take(n, n)
		if k := name(s); k > 1 {
			m.take(k, k)
		}
	case c == '_' || c == '*':
		n := 1
		for n < len(s) && s[n] == c {
			n++
		}
		m.take(n, n)
	case c == '\\':
		n := 0
		for n < 6 && strings.HasPrefix(s[n:], `\*`) {
			n += 2
		}
		m.take(max(n, 1), max(n, 1))
	case c == '-':
		n := 1
		for n < len(s) && s[n] == '-' {
			n++
		}
		if n == 3 || n == 4 {
			m.takeAs(n, "--")
		}
		m.take(n, n)
	case c == '!' || c == '?':
		n := 1
		for n < len(s) && (s[n] == '!' || s[n] == '?') {
			n++
		}
		m.take(n, n)
	case c == '.':
		n := ellipsis(s)
		m.takeAs(n, "...")
		m.take(1, 1)
	case strings.IndexByte("\"'`,;:$()[]{}>+%~^|=/", c) >= 0:
		m.quoteOrMark(s)
	case r >= 0x80:
		m.beyondASCII(s, r, size)
	}
	if n := smiley(s); n > 0 {
		m.take(n, n)
	}
}

// name is "@name" or "#topic" at the start of s.
func name(s string) int {
	if len(s) < 2 {
		return 0
	}
	if s[0] == '#' {
		return 1 + run(s[1:], letter)
	}
	if !asciiLetter(s[1]) && s[1] != '_' {
		return 0
	}
	n := 2
	for n < len(s) && (asciiAlnum(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

func (m *match) quoteOrMark(s string) {
	switch s[0] {
	case '"':
		m.takeAs(1, "''")
	case '\'':
		if strings.HasPrefix(s, "''") {
			m.take(2, 2)
		}
		m.take(1, 1)
	case '`':
		m.quotes(s)
	default:
		m.take(1, 1)
	}
}

// quotes takes one or two quotation marks as one token.
func (m *match) quotes(s string) {
	text, n := "", 0
	for range 2 {
		r, k := firstRune(s[n:])
		q := asciiQuote(r)
		if q == "" {
			break
		}
		text, n = text+q, n+k
	}
	m.takeAs(n, text)
}

// asciiQuote writes a quotation mark as LaTeX would, or is empty.
func asciiQuote(r rune) string {
	switch r {
	case '`', 0x2018, 0x201b, 0x91, 0x2039:
		return "`"
	case 0x2019, 0x92, 0x203a:
		return "'"
	case 0x201c, 0x93, 0xab:
		return "``"
	case 0x201d, 0x94, 0xbb:
		return "''"
	case 0x201a, 0x201e, 0x201f:
		return string(r)
	}
	return ""
}

// ellipsis is three to five full stops, or that many with spaces between.
func ellipsis(s string) int {
	n := 0
	for n < len(s) && n < 5 && s[n] == '.' {
		n++
	}
	if n >= 3 {
		return n
	}
	e, dots := 1, 1
	for dots < 5 && e < len(s) {
		k := phoneSpace(s[e:])
		if k == 0 || e+k >= len(s) || s[e+k] != '.' {
			break
		}
		e += k + 1
		dots++
	}
	if dots >= 3 {
		return e
	}
	return 0
}

func (m *match) entity(s string) {
	for _, e := range [...][2]string{{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "''"}, {"&apos;", "'"},
		{"&MD;", "--"}, {"&mdash;", "--"}, {"&ndash;", "--"}} {
		if len(s) >= len(e[0]) && strings.EqualFold(s[:len(e[0])], e[0]) {
			m.takeAs(len(e[0]), e[1])
		}
	}
	for _, e := range [...]string{"&HT;", "&TL;", "&UR;", "&LR;", "&QC;", "&QL;", "&QR;", "&odq;", "&cdq;"} {
		if strings.HasPrefix(s, e) {
			m.take(len(e), len(e))
		}
	}
	if strings.HasPrefix(s, "&#") {
		if k := digits(s[2:], len(s)); k > 0 && 2+k < len(s) && s[2+k] == ';' {
			m.take(3+k, 3+k)
		}
	}
}

// beyondASCII handles one non-ASCII mark.
func (m *match) beyondASCII(s string, r rune, size int) {
	if t, ok := currency(r); ok {
		m.takeAs(size, t)
		return
	}
	if t, ok := vulgar(r); ok {
		m.takeAs(size, t)
		return
	}
	switch r {
	case 0x2013, 0x2014, 0x2015, 0x96, 0x97:
		m.takeAs(size, "--")
	case 0x2026:
		m.takeAs(size, "...")
	default:
		m.quotes(s)
	}
	if superscript(r) {
		n := 0
		for n < len(s) {
			q, k := firstRune(s[n:])
			if !superscript(q) {
				break
			}
			n += k
		}
		m.take(n, n)
	}
	if symbol(r) {
		m.take(size, size)
	}
}

func superscript(r rune) bool {
	return r == 0xb2 || r == 0xb3 || r == 0xb9 || r == 0x2070 || r >= 0x2074 && r <= 0x2079 || r >= 0x2080 && r <= 0x2089
}

// symbol says whether r is a token of its own.
func symbol(r rune) bool {
	in := func(lo, hi rune) bool { return r >= lo && r <= hi }
	switch {
	case in(0xa1, 0xbf), r == 0xd7, r == 0xf7, in(0x2016, 0x2017), in(0x2020, 0x2023), in(0x2030, 0x2038), r == 0x203b, in(0x203e, 0x2042), r == 0x2044, in(0x207a, 0x207f), in(0x208a, 0x208e),
		in(0x20a0, 0x20b9), in(0x2100, 0x214f), in(0x2155, 0x215e), in(0x2190, 0x2bff), in(0x3001, 0x3002), in(0x3008, 0x3012),
		r == 0x30fb, in(0xff01, 0xff0f), in(0xff1a, 0xff20), in(0xff3b, 0xff40), in(0xff5b, 0xff65):
		return true
	}
	return false
}

// smiley is a face such as ":-)", "^_^" or "(^_^)" at the start of s.
func smiley(s string) int {
	best := westernSmiley(s)
	eye := func(i int, set string) bool { return i < len(s) && strings.IndexByte(set, s[i]) >= 0 }
	if eye(0, "-^x=~<>'") && eye(1, "_") && eye(2, "-^x=~<>'") {
		best = max(best, 3)
	}
	if eye(0, "(") && eye(1, "-^x=~<>'") {
		n := 2
		if eye(n, "_.") {
			n++
		}
		if eye(n, "-^x=~<>'") && eye(n+1, ")") {
			best = max(best, n+2)
		}
	}
	if eye(0, "(") && eye(1, "^x=~<>'") && eye(2, "-") && eye(3, "^x=~<>'`") && eye(4, ")") {
		best = max(best, 5)
	}
	return best
}

func westernSmiley(s string) int {
	n := 0
	if n < len(s) && (s[n] == '<' || s[n] == '>') {
		n++
	}
	if n >= len(s) || strings.IndexByte(":;=", s[n]) < 0 {
		return 0
	}
	n++
	if n+1 < len(s) && strings.IndexByte("-o*'", s[n]) >= 0 && mouth(s[n+1:]) {
		return n + 2
	}
	if mouth(s[n:]) {
		return n + 1
	}
	return 0
}

// mouth says whether s starts with a mouth that no letter or digit follows.
func mouth(s string) bool {
	return s != "" && strings.IndexByte(`()DPdpO\{@|[]`, s[0]) >= 0 && (len(s) == 1 || !asciiAlnum(s[1]))
}
