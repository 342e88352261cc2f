package meteor

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// Stage is one way two words or phrases can match, in order of preference.
type Stage int

const (
	Exact Stage = iota
	Stem
	Synonym
	Paraphrase
	stages
)

// String is the stage's name in METEOR's own output.
func (s Stage) String() string {
	return [...]string{"exact", "stem", "synonym", "paraphrase"}[s]
}

// Data is METEOR's language data. A zero Data has none.
// Concurrency: read-only once opened.
type Data struct {
	paraphrases string              // path of paraphrase-en.gz, "" without
	synsets     map[string]string   // word to its synset numbers, as text
	bases       map[string][]string // irregular form to its base forms
	function    map[string]bool
	prefixes    map[string]bool // words that keep a full stop
}

// Limits that keep a damaged or hostile jar from filling memory; the real
// files hold 3.8 MB at most.
const (
	maxEntryBytes = 64 << 20
	maxLineBytes  = 1 << 20
)

// Open reads meteor-1.5.jar and notes where paraphrase-en.gz lies. Either path
// may be "": the stages that need it are then left out.
// Errors: name the file and the entry, and where to get them.
func Open(jar, paraphrases string) (*Data, error) {
	d := &Data{paraphrases: paraphrases}
	if jar == "" {
		return d, nil
	}
	z, err := zip.OpenReader(jar)
	if err != nil {
		return nil, fmt.Errorf("meteor: %s is not METEOR's jar (a zip): %w; use meteor-1.5.jar from the Python package pycocoevalcap", jar, err)
	}
	defer func() { _ = z.Close() }()
	d.synsets, d.bases = make(map[string]string), make(map[string][]string)
	d.function, d.prefixes = make(map[string]bool), make(map[string]bool)
	for _, e := range []struct {
		name string
		add  func(lines []string) error
	}{
		{"function/english.words", func(l []string) error { return addWords(d.function, l) }},
		{"nonbreaking/english.prefixes", func(l []string) error { return addPrefixes(d.prefixes, l) }},
		{"synonym/english.synsets", d.addSynsets},
		{"synonym/english.exceptions", d.addExceptions},
	} {
		lines, err := entryLines(&z.Reader, e.name)
		if err == nil {
			err = e.add(lines)
		}
		if err != nil {
			return nil, fmt.Errorf("meteor: %s: %s: %w", jar, e.name, err)
		}
	}
	return d, nil
}

// Stages names the stages this data allows.
func (d *Data) Stages() []Stage {
	s := []Stage{Exact, Stem}
	if d.synsets != nil {
		s = append(s, Synonym)
	}
	if d.paraphrases != "" {
		s = append(s, Paraphrase)
	}
	return s
}

// Complete says whether the scores are comparable with METEOR's.
func (d *Data) Complete() bool { return len(d.Stages()) == int(stages) }

func entryLines(z *zip.Reader, name string) ([]string, error) {
	f, err := z.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("missing from the jar; use meteor-1.5.jar from the Python package pycocoevalcap")
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var lines []string
	sc := bufio.NewScanner(io.LimitReader(f, maxEntryBytes))
	sc.Buffer(make([]byte, 64<<10), maxLineBytes)
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	return lines, sc.Err()
}

func addWords(set map[string]bool, lines []string) error {
	for _, w := range lines {
		if w != "" {
			set[w] = true
		}
	}
	return nil
}

// addPrefixes reads the Moses list; entries for numbers only never apply to
// lower-case text.
func addPrefixes(set map[string]bool, lines []string) error {
	for _, w := range lines {
		if w != "" && w[0] != '#' && !strings.Contains(w, "#") {
			set[strings.TrimSpace(w)] = true
		}
	}
	return nil
}

// addSynsets reads pairs of lines: a word, then the numbers of its synsets.
func (d *Data) addSynsets(lines []string) error {
	for i := 0; i+1 < len(lines); i += 2 {
		d.synsets[lines[i]] = lines[i+1]
	}
	return pairs(lines)
}

// addExceptions reads pairs of lines: a base form, then its irregular forms.
func (d *Data) addExceptions(lines []string) error {
	for i := 0; i+1 < len(lines); i += 2 {
		for _, form := range strings.Fields(lines[i+1]) {
			d.bases[form] = append(d.bases[form], lines[i])
		}
	}
	return pairs(lines)
}

func pairs(lines []string) error {
	if len(lines) == 0 || len(lines)%2 != 0 {
		return fmt.Errorf("has %d lines where pairs are expected", len(lines))
	}
	return nil
}

// synsetsOf lists the synsets of w and of the base forms it may come from: its
// exceptions, or else, per part of speech, the first detachment rule that
// leads to a known word ("waited" gives "waite", a name, and not "wait").
// Source: WordNet's morphy, with the program's choices as observed.
func (d *Data) synsetsOf(w string) []int32 {
	var out []int32
	d.appendSynsets(&out, w)
	if bases := d.bases[w]; len(bases) > 0 {
		for _, base := range bases {
			d.appendSynsets(&out, base)
		}
		return out
	}
	if len(w) <= 2 || strings.HasSuffix(w, "ss") {
		return out
	}
	d.detach(&out, w, nounEndings)
	d.detach(&out, w, verbEndings)
	d.detach(&out, w, adjectiveEndings)
	return out
}

func (d *Data) detach(out *[]int32, w string, endings [][2]string) {
	for _, e := range endings {
		if stem, ok := strings.CutSuffix(w, e[0]); ok && d.appendSynsets(out, stem+e[1]) {
			return
		}
	}
}

// appendSynsets says whether w is known.
func (d *Data) appendSynsets(out *[]int32, w string) bool {
	list, ok := d.synsets[w]
	for _, f := range strings.Fields(list) {
		if n, err := strconv.ParseInt(f, 10, 32); err == nil {
			*out = append(*out, int32(n))
		}
	}
	return ok
}

// Source: WordNet's morphy(7WN), rules of detachment.
var (
	nounEndings = [][2]string{{"s", ""}, {"ses", "s"}, {"xes", "x"}, {"zes", "z"}, {"ches", "ch"}, {"shes", "sh"},
		{"men", "man"}, {"ies", "y"}}
	verbEndings      = [][2]string{{"s", ""}, {"ies", "y"}, {"es", "e"}, {"es", ""}, {"ed", "e"}, {"ed", ""}, {"ing", "e"}, {"ing", ""}}
	adjectiveEndings = [][2]string{{"er", ""}, {"est", ""}, {"er", "e"}, {"est", "e"}}
)
