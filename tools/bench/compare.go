package bench

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Change is one workload in two reports.
type Change struct {
	Name  string  `json:"name"`
	A     float64 `json:"a_s"`
	B     float64 `json:"b_s"`
	Ratio float64 `json:"ratio"` // A/B: above 1, B is the faster one; 0 when a time is 0
	// P is the probability of rounds at least as far apart if A and B were
	// equally fast: a two-sided Mann-Whitney test, exact but for ties.
	P      float64 `json:"p"`
	Marked bool    `json:"significant"` // P is below the level
}

// Comparison is two reports side by side.
type Comparison struct {
	Changes []Change `json:"changes"`
	// Notes say what differs beside the times, and which workloads only one of
	// the reports has.
	Notes []string `json:"notes,omitempty"`
}

// Level is the probability below which a change is marked. Five rounds each can
// just fall below it, fewer can't; of fifty unchanged workloads, one is marked in
// every second comparison.
const Level = 0.01

// Compare compares the workloads that both reports have, in a's order. It is an
// error when there are none.
func Compare(a, b *Report) (*Comparison, error) {
	c := &Comparison{}
	for _, d := range []struct{ what, a, b string }{
		{"CPU", a.Machine.CPU, b.Machine.CPU}, {"instruction set", a.Machine.ISA, b.Machine.ISA},
		{"threads", fmt.Sprint(a.Threads), fmt.Sprint(b.Threads)}, {"precision", a.Precision, b.Precision},
	} {
		if d.a != d.b {
			c.Notes = append(c.Notes, fmt.Sprintf("%s differs: %s and %s", d.what, d.a, d.b))
		}
	}
	in := map[string]*Result{}
	for i := range b.Results {
		in[b.Results[i].Name] = &b.Results[i]
	}
	few := false
	for i := range a.Results {
		x := &a.Results[i]
		y := in[x.Name]
		if y == nil {
			c.Notes = append(c.Notes, "only the first report has "+x.Name)
			continue
		}
		delete(in, x.Name)
		ch := Change{Name: x.Name, A: x.Seconds, B: y.Seconds, P: mannWhitney(x.Rounds, y.Rounds)}
		if x.Seconds > 0 && y.Seconds > 0 {
			ch.Ratio = x.Seconds / y.Seconds
		}
		ch.Marked = ch.P < Level
		few = few || min(len(x.Rounds), len(y.Rounds)) < 5
		c.Changes = append(c.Changes, ch)
	}
	if len(c.Changes) == 0 {
		return nil, errors.New("the reports have no workload in common")
	}
	for i := range b.Results {
		if name := b.Results[i].Name; in[name] != nil {
			c.Notes = append(c.Notes, "only the second report has "+name)
		}
	}
	if few {
		c.Notes = append(c.Notes, "fewer than 5 rounds: too few to call a change significant")
	}
	return c, nil
}

// mannWhitney returns the two-sided probability of the Mann-Whitney U test, 1
// when a sample is empty. Ties count half and then round towards no difference.
// Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947) 50.
func mannWhitney(a, b []float64) float64 {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 1
	}
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x < y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	u = min(u, float64(n*m)-u)
	// ways[j][k] counts the orders of i values of a and j of b with k pairs in
	// which a's is smaller: the last value is a's, above all j, or b's.
	ways := make([][]float64, m+1)
	for i := range n + 1 {
		for j := range m + 1 {
			next := make([]float64, i*j+1)
			if i == 0 || j == 0 {
				next[0] = 1
			} else {
				copy(next, ways[j]) // the last is a's: no pair more
				for k, v := range ways[j-1] {
					next[k+i] += v // the last is b's: i pairs more
				}
			}
			ways[j] = next
		}
	}
	all, tail := 0.0, 0.0
	for k, v := range ways[m] {
		all += v
		if float64(k) <= math.Ceil(u) {
			tail += v
		}
	}
	return min(1, 2*tail/all)
}

// JSON writes the comparison as one document.
func (c *Comparison) JSON(w io.Writer) error { return writeJSON(w, c) }

// Text writes the comparison as a table for a terminal.
func (c *Comparison) Text(w io.Writer) error { return writeText(w, c.heading(), c.table()) }

// Markdown writes the comparison as a table for a page.
func (c *Comparison) Markdown(w io.Writer) error { return writeMarkdown(w, c.heading(), c.table()) }

func (c *Comparison) heading() string {
	h := fmt.Sprintf("A/B above 1: B is faster; significant by a Mann-Whitney test over rounds, p < %g", Level)
	for _, n := range c.Notes {
		h += "\n" + n
	}
	return h
}

func (c *Comparison) table() [][]string {
	rows := [][]string{{"workload", "A", "B", "A/B", "p", ""}}
	for i := range c.Changes {
		d := &c.Changes[i]
		ratio, mark := "", "~"
		if d.Ratio > 0 {
			ratio = fmt.Sprintf("%.3f", d.Ratio)
		}
		if d.Marked {
			mark = "slower"
			if d.A > d.B {
				mark = "faster"
			}
		}
		rows = append(rows, []string{d.Name, duration(d.A), duration(d.B), ratio, fmt.Sprintf("%.2g", d.P), mark})
	}
	return rows
}
