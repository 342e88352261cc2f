package ptb

import "strings"

// abbreviation says how a word followed by a full stop behaves.
type abbreviation int

const (
	notAbbreviation abbreviation = iota
	title                        // keeps its full stop ("Mr.")
	ender                        // keeps it and may end a sentence ("Jan.")
	numeric                      // keeps it before a number ("No. 5")
)

// Words that keep their full stop, found by asking the official tokenizer
// about every word of up to five letters and 339 000 longer ones. Single
// letters do as well.
const (
	titles = ` cf dr ft lt mr ms mt ph st vs wm adj adm adv ave cie col cpl det drs ens gen gov hon jos maj mme mrs pfc pvt rep rev
 sen sfc sgt spc ste alex asst atty brig capt cmdr dept elec govs insp invt mlle msgr natl pres prof reps sens supt
 assoc attys comdr lieut profs supts treas messrs mfg mtg `
	enders = ` al co ct ga jr ky md mo rd rt sq sr va vt ala apr aug bhd cos dak dec esq est etc ext feb fla fri inc
 ind jan jul jun kan ltd mar mon neb nev nov oct plc sep seq sys tel thu tue wed wis wyo ariz assn bldg blvd bros colo
 conn corp intl kans mich minn mont okla penn sept tenn tues univ wisc calif thurs bancorp
 pte pty ppte ppty ptes ptys pptes pptys `
	notUpper    = ` mfg mtg pte pty ppte ppty ptes ptys pptes pptys ` // unknown in capitals
	capitalOnly = ` az la pa ark del ill ore tex mass miss wash `     // only when written with a capital
	numericOnly = ` ca no op pp art fig nos figs prop `
	extensions  = ` bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar txt wav x xml zip `
	// sentenceStarts follow a single letter's full stop as a new sentence.
	sentenceStarts = ` A About According Additionally After An As At But Earlier He Her Here However If In It Last Many
 More Now Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You `
)

func abbreviationKind(w string) abbreviation {
	if len(w) == 1 {
		return title
	}
	if len(w) > 7 {
		return notAbbreviation
	}
	low := strings.ToLower(w)
	if listed(notUpper, low) && w[1:] != low[1:] {
		return notAbbreviation
	}
	switch {
	case listed(titles, low):
		return title
	case listed(enders, low), listed(capitalOnly, low) && w != low:
		return ender
	case listed(numericOnly, low):
		return numeric
	}
	return notAbbreviation
}

// listed says whether w stands in a list of words separated by single white
// space characters.
func listed(list, w string) bool {
	for from := 0; ; {
		k := strings.Index(list[from:], w)
		if k < 0 {
			return false
		}
		k += from
		end := k + len(w)
		if k > 0 && end < len(list) && list[k-1] <= ' ' && list[end] <= ' ' {
			return true
		}
		from = k + 1
	}
}

// filename is a name with a known extension at a word's end: "5dog.jpg".
func filename(s string) int {
	n := run(s, alnum)
	for n > 0 && n < len(s) && s[n] == '.' {
		k := run(s[n+1:], alnum)
		if k == 0 {
			break
		}
		ext := s[n+1 : n+1+k]
		n += 1 + k
		if (n == len(s) || space(s[n:]) > 0 || strings.IndexByte(".!?,", s[n]) >= 0) && k <= 5 && listed(extensions, strings.ToLower(ext)) {
			return n
		}
	}
	return 0
}

// special holds the lexer's own exceptions.
func special(s string) int {
	best := 0
	for _, w := range [...]string{"pro-", "anti-", "S&P-500", "S&amp;P-500", "S&Ls", "S&amp;Ls", "C.D.s", "U.S.-U.S.S.R", "C++", "C#", "F#"} {
		if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
			best = max(best, len(w))
		}
	}
	for _, w := range [...][2]string{{"cap", "n"}, {"c", "est"}} {
		k := len(w[0])
		if len(s) > k && strings.EqualFold(s[:k], w[0]) {
			if q := apos(s[k:]); q > 0 && len(s) >= k+q+len(w[1]) && strings.EqualFold(s[k+q:k+q+len(w[1])], w[1]) {
				best = max(best, k+q+len(w[1]))
			}
		}
	}
	return best
}
