package token

import (
	"sync"
	"unicode"
)

// kind is a set of the classes a character belongs to.
type kind uint32

const (
	common kind = 1 << iota
	c1
	bad
	law
	currency
	opening
	closing
	numeric
	kaomoji
	upperAccent
	lowerAccent
	upperCommon
	lowerCommon
	box
	lead2
	lead3
	lead4
	anyCont
	strictCont
	capital // A-Z
	small   // a-z
	blank

	accent = upperAccent | lowerAccent
)

// kindTable is an array over the small code points and a few beyond.
type kindTable struct {
	low  [0x2600]kind
	high map[rune]kind
}

func (t *kindTable) of(r rune) kind {
	if r < rune(len(t.low)) {
		return t.low[r]
	}
	if r < 0xF8FF {
		return 0
	}
	return t.high[r]
}

// kinds returns the classes of the few hundred characters that turn up when
// UTF-8 is read as a single-byte character set.
//
// Source: ftfy 6.3.1, badness.MOJIBAKE_CATEGORIES and chardata.UTF8_CLUES.
var kinds = sync.OnceValue(func() *kindTable {
	t := &kindTable{high: map[rune]kind{}}
	for k, ranges := range map[kind]string{
		common:      "\u00a0\u00ad´·–-―’…",
		c1:          "\u0080-\u009f",
		bad:         "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd",
		law:         "§¶",
		currency:    "¢£¥₧€",
		opening:     "¡©«¿΄΅‘‚“„•‹\uf8ff",
		closing:     "®»˝”›™",
		numeric:     "±-³µ¹¼-¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥",
		kaomoji:     "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ",
		upperAccent: "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
		lowerAccent: "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ",
		upperCommon: "ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я",
		lowerCommon: "ά-ωа-џ",
		box:         "│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓",
		lead2:       "Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я",
		lead3:       "à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п",
		lead4:       "ðóđğšπσру",
		strictCont:  "\u0080-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛-˝΄-ΆΈ-ΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™",
		anyCont:     "\u0020\u0080-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛-˝΄-ΆΈ-ΊΌΎΏЁ-ЌЎЏё-ќўџҐґ–-―‘-‚“-„†-•…‰‹›€№™",
		capital:     "A-Z",
		small:       "a-z",
		blank:       "\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
	} {
		each(ranges, func(r rune) {
			if r < rune(len(t.low)) {
				t.low[r] |= k
			} else {
				t.high[r] |= k
			}
		})
	}
	return t
})

// each calls f for every character of "a-cx": ranges and single characters.
func each(ranges string, f func(rune)) {
	rs := []rune(ranges)
	for i := 0; i < len(rs); i++ {
		last := rs[i]
		if i+2 < len(rs) && rs[i+1] == '-' {
			last = rs[i+2]
		}
		for r := rs[i]; r <= last; r++ {
			f(r)
		}
		if last != rs[i] {
			i += 2
		}
	}
}

// isBad reports whether text holds a sequence of characters that people do not
// write but a wrong decoding produces.
//
// Source: ftfy 6.3.1, badness.BADNESS_RE; a scan over classes instead of the
// regular expression.
func isBad(text []rune) bool {
	t := kinds()
	for i := range text {
		if badAt(text, i, t) {
			return true
		}
	}
	return false
}

// badAt reports whether such a sequence starts at text[i].
func badAt(text []rune, i int, t *kindTable) bool {
	a := t.of(text[i])
	if a == 0 && text[i] < 0x80 {
		return i+2 < len(text) && pairBad(text[i:], a, t)
	}
	if a&c1 != 0 {
		return true
	}
	if i+1 == len(text) {
		return false
	}
	b := t.of(text[i+1])
	const signs = accent | box | opening | closing | currency | numeric | law
	switch {
	case a&(bad|signs) != 0 && b&bad != 0,
		a&bad != 0 && b&signs != 0,
		a&(lowerAccent|lowerCommon|box|closing|currency|numeric) != 0 && b&upperAccent != 0,
		a&(box|closing|currency|numeric) != 0 && b&lowerAccent != 0,
		a&(lowerAccent|box|closing) != 0 && b&currency != 0,
		a&(upperAccent|box) != 0 && b&(numeric|law) != 0,
		a&(currency|numeric|box) != 0 && b&opening != 0,
		a&box != 0 && b&(kaomoji|closing) != 0,
		a&(accent|currency|numeric|opening|closing|law) != 0 && b&box != 0:
		return true
	}
	return pairBad(text[i:], a, t) || i == 0 && isAHat(text[0]) && text[1] == ' '
}

func isAHat(r rune) bool { return r == 'Ã' || r == 'Â' }

// pairBad looks at the rules that name single characters or need three and
// more; a is the kind of text[0]. text has at least two characters.
func pairBad(text []rune, a kind, t *kindTable) bool {
	if named(text, t) {
		return true
	}
	if len(text) < 3 {
		return false
	}
	b, c := t.of(text[1]), t.of(text[2])
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	switch {
	case a&(capital|small) != 0 && b&(lowerCommon|upperCommon) != 0 && c&bad != 0,
		a&blank != 0 && b&upperAccent != 0 && c&currency != 0,
		a&(accent|box|currency|closing) != 0 && b&opening != 0 && c&numeric != 0,
		a&(accent|currency|numeric|box|law) != 0 && b&closing != 0 && c&opening != 0,
		a&small != 0 && b&upperAccent != 0 && c&(opening|currency) != 0,
		a&accent != 0 && b&(opening|closing) != 0 && word(text[2]):
		return true
	}
	if a&small != 0 {
		if isAHat(text[1]) && text[2] == ' ' {
			return true
		}
		if b&blank != 0 && isAHat(text[2]) && len(text) > 3 && text[3] == ' ' {
			return true
		}
	}
	before := a&(small|closing) != 0 || text[0] == '.' || text[0] == ',' || text[0] == '?' || text[0] == '!'
	return before && text[1] == 'Â' && (text[2] == ' ' || c&(opening|closing) != 0)
}
