package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"syntic/tools/metrics/read"
	"syntic/tools/metrics/stats"
)

// Rating is human judges' grades of one caption for one picture.
type Rating struct {
	Picture string
	Caption string // picture.jpg#number of the caption, as in a Flickr token file
	Grades  []float64
}

// ReadExpert reads Flickr8k's ExpertAnnotations.txt: picture, caption and
// three grades from 1 to 4, separated by TABs.
// Source: Hodosh, Young and Hockenmaier 2013.
func ReadExpert(path string) ([]Rating, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readExpert(f, path)
}

func readExpert(r io.Reader, name string) ([]Rating, error) {
	var out []Rating
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 3 {
			return nil, fmt.Errorf("%s:%d: want picture, caption and grades separated by TABs", name, n)
		}
		rating := Rating{Picture: f[0], Caption: f[1]}
		for _, g := range f[2:] {
			v, err := strconv.ParseFloat(g, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%s:%d: grade %q is not a number", name, n, g)
			}
			rating.Grades = append(rating.Grades, v)
		}
		out = append(out, rating)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// Correlation is a metric's agreement with human judgement.
type Correlation struct {
	Metric string
	stats.Tau
	Comparable bool
	// Published is tau-c times 100 as the literature has it, 0 where it has none.
	Published float64
	Source    string
}

// Source: Hessel et al. 2021 (CLIPScore), Table 1, Flickr8K-Expert, tau-c.
var published = map[string]float64{"Bleu_1": 32.3, "Bleu_4": 30.8, "ROUGE_L": 32.3, "METEOR": 41.8, "CIDEr": 43.9, "SPICE": 44.9}

// Correlate scores every rated caption against its picture's own captions in
// refs, a Flickr token file's set, and correlates with the grades, each grade
// being one judgement. Ratings of one of the picture's own captions are left
// out, as in the literature.
func Correlate(ctx context.Context, refs *read.Set, ratings []Rating, o Options) ([]Correlation, error) {
	r := &Result{}
	var texts input
	var kept []Rating
	for _, g := range ratings {
		own, ok := refs.Find(g.Picture)
		if !ok {
			return nil, fmt.Errorf("%s has no captions of the rated picture %q", refs.Name, g.Picture)
		}
		from, number, _ := strings.Cut(g.Caption, "#")
		n, err := strconv.Atoi(number)
		other, ok := refs.Find(from)
		if err != nil || !ok || n < 0 || n >= len(other.Texts) {
			return nil, fmt.Errorf("%s has no caption %q", refs.Name, g.Caption)
		}
		if from == g.Picture {
			continue
		}
		r.Pictures = append(r.Pictures, Picture{ID: g.Picture + " " + g.Caption, Prediction: other.Texts[n]})
		texts = append(texts, own.Texts)
		kept = append(kept, g)
	}
	if len(kept) == 0 {
		return nil, errors.New("no ratings to correlate with")
	}
	if _, err := evaluate(ctx, r, texts, o); err != nil {
		return nil, err
	}
	out := make([]Correlation, len(r.Scores))
	for k, s := range r.Scores {
		var x, y []float64
		for i, p := range r.Pictures {
			for _, g := range kept[i].Grades {
				x, y = append(x, p.Values[k]), append(y, g)
			}
		}
		out[k] = Correlation{Metric: s.Metric, Tau: stats.Kendall(x, y), Comparable: s.Comparable}
		if v, ok := published[s.Metric]; ok {
			out[k].Published, out[k].Source = v, "Hessel et al. 2021, Table 1"
		}
	}
	return out, nil
}

// WriteCorrelations writes correlations, times 100, as plain text.
func WriteCorrelations(w io.Writer, c []Correlation) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%-12s %8s %8s %10s\n", "", "tau-b", "tau-c", "published")
	for _, x := range c {
		name := x.Metric
		if !x.Comparable {
			name += "*"
		}
		fmt.Fprintf(b, "%-12s %8.1f %8.1f", name, 100*x.B, 100*x.C)
		if x.Published != 0 {
			fmt.Fprintf(b, " %10.1f  %s", x.Published, x.Source)
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}
