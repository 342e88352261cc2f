package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is one run of the benchmark: what is kept as JSON.
type Report struct {
	Date      time.Time `json:"date"`
	Machine   Machine   `json:"machine"`
	Threads   int       `json:"threads"`
	Precision string    `json:"precision"`
	MinTime   float64   `json:"min_time_s"`
	Results   []Result  `json:"results"`
}

// maxReport bounds a report's file.
const maxReport = 64 << 20

// ReadReport reads a report from a file that `syntic bench --json` wrote.
func ReadReport(path string) (*Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: not a report of syntic bench --json: %w", path, err)
	}
	if len(r.Results) == 0 {
		return nil, fmt.Errorf("%s: the report has no results", path)
	}
	for i := range r.Results {
		s := &r.Results[i]
		if len(s.Rounds) > MaxRounds || !finite(s.Seconds) || s.Seconds < 0 {
			return nil, fmt.Errorf("%s: the result of %q can't be one", path, s.Name)
		}
	}
	return r, nil
}

// Wrong returns the names of the kernels whose results are wrong.
func (r *Report) Wrong() []string {
	var names []string
	for _, s := range r.Results {
		if s.Wrong {
			names = append(names, s.Name)
		}
	}
	return names
}

// JSON writes the report as one document.
func (r *Report) JSON(w io.Writer) error { return writeJSON(w, r) }

// Text writes the report as a table for a terminal.
func (r *Report) Text(w io.Writer) error { return writeText(w, r.heading(), r.table()) }

// Markdown writes the report as a table for a page.
func (r *Report) Markdown(w io.Writer) error { return writeMarkdown(w, r.heading(), r.table()) }

func (r *Report) heading() string {
	m := &r.Machine
	if m.GPU != "" {
		return fmt.Sprintf("%s, %s; %s, commit %s, %s", m.GPU, r.Precision, m.Go, m.Commit, r.Date.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s, %s, %d thread(s), %s; peak %.4g GFLOP/s, triad %.3g GB/s; %s, commit %s, %s",
		m.CPU, m.ISA, r.Threads, r.Precision, m.PeakGFLOPS, m.TriadGBps, m.Go, m.Commit, r.Date.Format(time.DateOnly))
}

func (r *Report) table() [][]string {
	rows := [][]string{{"workload", "shape", "threads", "precision", "time", "spread", "rate", "of peak", "NMSE"}}
	for i := range r.Results {
		s := &r.Results[i]
		rate, percent, nmse, spread := "", "", "", ""
		switch {
		case s.GFLOPS > 0:
			rate = fmt.Sprintf("%.4g GFLOP/s", s.GFLOPS)
		case s.GBps > 0:
			rate = fmt.Sprintf("%.3g GB/s", s.GBps)
		}
		if s.Percent > 0 {
			percent = fmt.Sprintf("%.0f %%", s.Percent)
		}
		if s.NMSE != nil {
			nmse = fmt.Sprintf("%.1e", *s.NMSE)
			if s.Wrong {
				nmse += " WRONG"
			}
		}
		if len(s.Rounds) > 1 {
			spread = fmt.Sprintf("%.1f %%", 100*s.Spread)
		}
		rows = append(rows, []string{s.Name, s.Shape, fmt.Sprint(s.Threads), s.Precision, duration(s.Seconds), spread, rate, percent, nmse})
	}
	return rows
}

// duration writes seconds with the unit that suits them.
func duration(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.4g s", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.4g ms", s*1e3)
	}
	return fmt.Sprintf("%.4g µs", s*1e6)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// writeJSON writes a document that people can read and compare by line.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(v)
}

// writeText writes a heading and rows, of which the first names the columns,
// with the columns aligned.
func writeText(w io.Writer, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, heading)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// writeMarkdown writes the same as a Markdown table.
func writeMarkdown(w io.Writer, heading string, rows [][]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", heading)
	for i, r := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.ReplaceAll(strings.Join(r, " | "), "*", `\*`))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(r)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
