package ptb

import "strings"

// address is a web address: http(s)://…, www.…, or a name under .com, .net,
// .org or .edu.
func address(s string) int {
	if s[0] == 'h' || s[0] == 'H' {
		low := strings.ToLower(s[:min(len(s), 8)])
		for _, p := range [...]string{"http://", "https://"} {
			if strings.HasPrefix(low, p) {
				if k := untilLast(s[len(p):], " \t\n\f\r\"<>|(){}", ".!?,-"); units(s[len(p):len(p)+k]) >= 2 {
					return len(p) + k
				}
			}
		}
	}
	if strings.IndexByte(s, '.') < 0 {
		return 0
	}
	if !asciiLetter(s[0]) {
		return 0
	}
	best := host(s)
	if best > 0 && best < len(s) && s[best] == '/' {
		if k := untilLast(s[best+1:], " \t\n\f\r\"<>|(){}", ".!?,-"); units(s[best+1:best+1+k]) >= 2 {
			best += 1 + k
		}
	}
	return best
}

// untilLast is the length of s's prefix free of stop, cut back so as not to end
// in one of trim.
func untilLast(s, stop, trim string) int {
	n := strings.IndexAny(s, stop)
	if n < 0 {
		n = len(s)
	}
	for n > 0 && strings.IndexByte(trim, s[n-1]) >= 0 {
		n--
	}
	return n
}

// host is the longest name at the start of s that looks like a site's.
func host(s string) int {
	const stop = " \t\n\f\r\"<>|.!?(){},"
	best := 0
	www := len(s) > 4 && strings.EqualFold(s[:4], "www.")
	plain := true // no character that only "www." names may hold
	for n := 0; ; {
		k := strings.IndexAny(s[n:], stop)
		label := s[n:]
		if k >= 0 {
			label = s[n : n+k]
		}
		if n > 0 {
			tld := 0
			for tld < len(label) && tld < 4 && asciiLetter(label[tld]) {
				tld++
			}
			if www && tld >= 2 && n > 4 {
				best = max(best, n+tld)
			}
			if plain && tld >= 3 {
				switch strings.ToLower(label[:3]) {
				case "com", "net", "org", "edu":
					best = max(best, n+3)
				}
			}
		}
		if strings.ContainsAny(label, "`'-_$") {
			plain = false
		}
		if k <= 0 || s[n+k] != '.' || !plain && !www {
			return best
		}
		n += k + 1
	}
}

// email is an address with "@"; "<…>" around it belongs to it.
func email(s string) int {
	if strings.IndexByte(s, '@') < 0 {
		return 0
	}
	n := 0
	switch {
	case strings.HasPrefix(s, "<"):
		n = 1
	case strings.HasPrefix(s, "&lt;"):
		n = 4
	}
	if n >= len(s) || !asciiAlnum(s[n]) {
		return 0
	}
	const stop = " \t\n\f\r\"<>|()\u00a0{}"
	end := strings.IndexAny(s[n:], stop)
	if end < 0 {
		end = len(s) - n
	}
	end += n
	best := 0
	for at := n; at < end; at++ {
		if s[at] == '@' {
			e := at + 1 + labels(s[at+1:end])
			if e > at+1 {
				best = max(best, e)
			}
		}
	}
	switch {
	case best == 0:
	case strings.HasPrefix(s[best:], ">"):
		best++
	case strings.HasPrefix(s[best:], "&gt;"):
		best += 4
	}
	return best
}

// labels is the length of non-empty parts joined by single full stops.
func labels(s string) int {
	n := 0
	for {
		k := strings.IndexByte(s[n:], '.')
		if k < 0 {
			return len(s)
		}
		if k == 0 {
			return max(n-1, 0)
		}
		if n+k+1 >= len(s) {
			return n + k
		}
		n += k + 1
	}
}

// tag is an SGML tag such as <b>, </a> or <a href="x">.
func tag(s string) int {
	if len(s) < 3 || s[0] != '<' {
		return 0
	}
	n := 1
	switch {
	case s[1] == '!' || s[1] == '?':
		n++
		if n >= len(s) || !asciiLetter(s[n]) && s[n] != '-' {
			return 0
		}
		k := strings.IndexAny(s[n:], ">\r\n")
		if k < 0 || s[n+k] != '>' {
			return 0
		}
		return n + k + 1
	case s[1] == '/':
		n++
	}
	k := tagName(s[n:])
	if k == 0 {
		return 0
	}
	n += k
	for {
		n += spaces(s[n:])
		if n < len(s) && s[n] == '/' {
			n++
			n += spaces(s[n:])
			if n < len(s) && s[n] == '>' {
				return n + 1
			}
			return 0
		}
		if n < len(s) && s[n] == '>' {
			return n + 1
		}
		if s[n-1] != ' ' {
			return 0
		}
		k := tagName(s[n:])
		n += k
		e := n + spaces(s[n:])
		if k > 0 && (e >= len(s) || s[e] != '=') {
			continue
		}
		if k > 0 {
			n = e + 1
			n += spaces(s[n:])
		}
		if n >= len(s) || s[n] != '"' && s[n] != '\'' {
			return 0
		}
		q := strings.IndexAny(s[n+1:], "\"'\r\n")
		if q < 0 || s[n+1+q] != '"' && s[n+1+q] != '\'' {
			return 0
		}
		n += q + 2
	}
}

func spaces(s string) int {
	n := 0
	for n < len(s) && s[n] == ' ' {
		n++
	}
	return n
}

func tagName(s string) int {
	if s == "" || !asciiLetter(s[0]) {
		return 0
	}
	n := 1
	for n < len(s) && (asciiAlnum(s[n]) || s[n] == ':' || s[n] == '.' || s[n] == '-') {
		n++
	}
	return n
}
