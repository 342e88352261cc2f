package metrics

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/google/renameio/v2"

	"syntic/tools/metrics/plots"
	"syntic/tools/metrics/stats"
)

// Compare tests result b against a, metric by metric. Both must be of the same
// pictures in the same order and of the same metrics.
func Compare(a, b *Result, o stats.Options) ([]stats.Difference, error) {
	if len(a.Pictures) != len(b.Pictures) || len(a.samples) != len(b.samples) {
		return nil, fmt.Errorf("the results are of %d and %d pictures; compare results of the same references and metrics", len(a.Pictures), len(b.Pictures))
	}
	for i := range a.Pictures {
		if a.Pictures[i].ID != b.Pictures[i].ID {
			return nil, fmt.Errorf("picture %d is %q in one result and %q in the other", i+1, a.Pictures[i].ID, b.Pictures[i].ID)
		}
	}
	var out []stats.Difference
	for k := range a.samples {
		if a.samples[k].Names[0] != b.samples[k].Names[0] {
			return nil, errors.New("the results are of different metrics")
		}
		out = append(out, stats.Compare(a.samples[k], b.samples[k], o)...)
	}
	return out, nil
}

// WriteTable writes the scores, times 100, as a table in plain text.
func (r *Result) WriteTable(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, s := range r.Scores {
		name := s.Metric
		if !s.Comparable {
			name += "*"
		}
		fmt.Fprintf(b, "%-12s %8.2f", name, 100*s.Value)
		if s.Range != nil {
			fmt.Fprintf(b, "  [%.2f, %.2f]", 100*s.Range.Low, 100*s.Range.High)
		}
		fmt.Fprintln(b)
	}
	for _, s := range r.Scores {
		if s.Note != "" {
			fmt.Fprintf(b, "* %s: %s\n", s.Metric, s.Note)
		}
	}
	for _, s := range r.Warnings {
		fmt.Fprintf(b, "warning: %s\n", s)
	}
	return b.Flush()
}

// WriteJSON writes the scores and, where pictures is set, every picture's
// texts and values. Numbers are written in full.
func (r *Result) WriteJSON(w io.Writer, pictures bool) error {
	out := *r
	if !pictures {
		out.Pictures = nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(&out)
}

// WritePictures writes a TAB-separated table of every picture's values.
func (r *Result) WritePictures(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "picture")
	for _, s := range r.Scores {
		fmt.Fprint(b, "\t", s.Metric)
	}
	fmt.Fprintln(b, "\tprediction")
	clean := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	for _, p := range r.Pictures {
		fmt.Fprint(b, clean.Replace(p.ID))
		for _, v := range p.Values {
			if math.IsNaN(v) {
				fmt.Fprint(b, "\t")
			} else {
				fmt.Fprintf(b, "\t%.6g", v)
			}
		}
		fmt.Fprintf(b, "\t%s\n", clean.Replace(p.Prediction))
	}
	return b.Flush()
}

// WriteDifferences writes a comparison, scores times 100, as plain text.
func WriteDifferences(w io.Writer, a, b string, d []stats.Difference) error {
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "%-12s %10s %10s %8s  %-18s %s\n", "", clip(a), clip(b), "diff", "interval", "p")
	for _, x := range d {
		fmt.Fprintf(buf, "%-12s %10.2f %10.2f %+8.2f  %-18s %.4f\n", x.Name, 100*x.A, 100*x.B, 100*(x.B-x.A),
			fmt.Sprintf("[%+.2f, %+.2f]", 100*x.Low, 100*x.High), x.P)
	}
	return buf.Flush()
}

func clip(s string) string {
	if r := []rune(s); len(r) > 10 {
		return string(r[:9]) + "…"
	}
	return s
}

// WriteFile writes a file whole or not at all, with one of the writers above.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	if err := write(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// PlotComparison draws results of the same metrics side by side to a .png or
// .svg file, with intervals where they were asked for.
func PlotComparison(path, title string, names []string, results []*Result) error {
	if len(names) != len(results) || len(results) == 0 {
		return fmt.Errorf("%d names for %d results", len(names), len(results))
	}
	var metrics []string
	for _, s := range results[0].Scores {
		metrics = append(metrics, s.Metric)
	}
	systems := make([]plots.System, len(results))
	for i, r := range results {
		systems[i].Name = names[i]
		for _, m := range metrics {
			bar := plots.Bar{Value: math.NaN()}
			for _, s := range r.Scores {
				if s.Metric == m {
					bar.Value = s.Value
					if s.Range != nil {
						bar.Low, bar.High = s.Range.Low, s.Range.High
					}
				}
			}
			systems[i].Bars = append(systems[i].Bars, bar)
		}
	}
	return plots.Comparison(path, title, metrics, systems)
}

// PlotLearning draws each metric's value at each step, such as the checkpoints
// of a training, to a .png or .svg file.
func PlotLearning(path, title, step string, steps []float64, results []*Result) error {
	if len(steps) != len(results) || len(results) == 0 {
		return fmt.Errorf("%d steps for %d results", len(steps), len(results))
	}
	curves := make([]plots.Curve, len(results[0].Scores))
	for k, s := range results[0].Scores {
		curves[k].Name = s.Metric
		for i, r := range results {
			if v, ok := r.Value(s.Metric); ok {
				curves[k].X = append(curves[k].X, steps[i])
				curves[k].Y = append(curves[k].Y, 100*v)
			}
		}
	}
	return plots.Curves(path, title, step, "score × 100", curves)
}
