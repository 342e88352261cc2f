package token

import "strings"

// named reports whether one of the sequences that name their characters starts
// at text[0]. text has at least two characters.
//
// Source: ftfy 6.3.1, badness.BADNESS_RE.
func named(text []rune, t *kindTable) bool {
	b := text[1]
	k := t.of(b)
	among := func(s string) bool { return strings.ContainsRune(s, b) }
	switch text[0] {
	case 'Œ', 'œ':
		if k&(capital|small) == 0 {
			return true
		}
	case '×':
		return among("²³")
	case 'à':
		if among("²µ¹¼½¾") {
			return true
		}
	case '√':
		return among("±∂†≠®™´≤≥¥µø")
	case '≈':
		return among("°¢")
	case '‚':
		if len(text) > 2 {
			c := text[2]
			return b == 'Ä' && strings.ContainsRune("ìîïòôúùû†°¢π", c) || among("âó") && strings.ContainsRune("àä°ê", c)
		}
	case 'в':
		return b == 'Ђ'
	case 'β':
		return b == '€' && len(text) > 2 && strings.ContainsRune("™\u00a0Ά\u00ad®°", text[2])
	case 'ā':
		if b == '€' {
			return true
		}
	case 'Â', 'Ã', 'Î', 'Ð':
		if k&(opening|closing) != 0 || among("€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´") {
			return true
		}
	case 'Ø', 'Ù':
		arabic := func(r rune) bool {
			return t.of(r)&(common|currency|bad|numeric|opening) != 0 || strings.ContainsRune("ŸŠ®°µ»", r)
		}
		if len(text) > 3 && arabic(b) && (text[2] == 'Ø' || text[2] == 'Ù') && arabic(text[3]) {
			return true
		}
	case 'В', 'Г', 'Р', 'С':
		if between(text, "ВГРС", "°µ", t) {
			return true
		}
		// Three layers of wrong decoding, near a Latin letter.
		if len(text) > 6 && string(text[:5]) == "ГўВЂВ" && text[5] != '\n' &&
			(text[6] == ' ' || t.of(text[6])&(capital|small) != 0) {
			return true
		}
	case 'Β', 'Γ', 'Ξ', 'Ο':
		return between(text, "ΒΓΞΟ", "°", t)
	}
	return b == '°' && t.of(text[0])&upperAccent != 0
}

// between reports whether text[1] is a sign between two of the letters.
func between(text []rune, letters, extra string, t *kindTable) bool {
	return len(text) > 2 && strings.ContainsRune(letters, text[2]) &&
		(t.of(text[1])&(c1|bad|opening|closing|currency) != 0 || strings.ContainsRune(extra, text[1]))
}
