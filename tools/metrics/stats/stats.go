package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// Sample is one system's sufficient statistics: a row per picture, whose sums
// over any choice of pictures give the scores of that choice.
type Sample struct {
	Names []string                      // of the scores
	Rows  [][]float64                   // per picture, all of one length
	Score func(sum []float64) []float64 // in the order of Names; must not keep sum
}

// Mean is the sample of a metric whose value for a set is the mean of its
// pictures' values.
func Mean(name string, values []float64) Sample {
	rows := make([][]float64, len(values))
	for i, v := range values {
		rows[i] = []float64{v, 1}
	}
	return Sample{Names: []string{name}, Rows: rows, Score: func(sum []float64) []float64 { return []float64{sum[0] / sum[1]} }}
}

// Value scores all pictures.
func (s Sample) Value() []float64 {
	sum := make([]float64, s.width())
	for _, r := range s.Rows {
		add(sum, r)
	}
	return s.Score(sum)
}

func (s Sample) width() int {
	if len(s.Rows) == 0 {
		return 0
	}
	return len(s.Rows[0])
}

func add(sum, row []float64) {
	for k, v := range row {
		sum[k] += v
	}
}

// Options of the resampling. The same options give the same numbers whatever
// the number of workers: resample r draws from its own stream.
type Options struct {
	Resamples int     // 0 for 1000
	Level     float64 // of the intervals, 0 for 0.95
	Seed      uint64
	Workers   int // 0 for one
}

func (o Options) fill() Options {
	if o.Resamples <= 0 {
		o.Resamples = 1000
	}
	if o.Level <= 0 || o.Level >= 1 {
		o.Level = 0.95
	}
	o.Workers = max(o.Workers, 1)
	return o
}

// Interval is a percentile interval.
type Interval struct{ Low, High float64 }

// Bootstrap returns the interval of each score when pictures are drawn with
// replacement.
// Source: Efron and Tibshirani 1993, percentile intervals.
func Bootstrap(s Sample, o Options) []Interval {
	o = o.fill()
	values := make([][]float64, o.Resamples)
	each(o, func(r int, rng *rand.Rand) {
		sum := make([]float64, s.width())
		for range s.Rows {
			add(sum, s.Rows[rng.IntN(len(s.Rows))])
		}
		values[r] = s.Score(sum)
	})
	return intervals(values, len(s.Names), o.Level)
}

// Difference is one score of two systems on the same pictures.
type Difference struct {
	Name string
	A, B float64
	Interval
	// P is the chance of a difference at least as large if the two systems'
	// outputs were exchangeable.
	P float64
}

// Compare tests b against a, whose rows are of the same pictures in the same
// order: an interval of B-A by the paired bootstrap and a two-sided P by
// approximate randomisation.
// Source: Koehn 2004; Riezler and Maxwell 2005 (P = (c+1)/(R+1)).
func Compare(a, b Sample, o Options) []Difference {
	o = o.fill()
	va, vb := a.Value(), b.Value()
	drawn := make([][]float64, o.Resamples)
	swapped := make([][]float64, o.Resamples)
	each(o, func(r int, rng *rand.Rand) {
		sa, sb := make([]float64, a.width()), make([]float64, b.width())
		for range a.Rows {
			i := rng.IntN(len(a.Rows))
			add(sa, a.Rows[i])
			add(sb, b.Rows[i])
		}
		drawn[r] = minus(b.Score(sb), a.Score(sa))
		clear(sa)
		clear(sb)
		for i := range a.Rows {
			x, y := a.Rows[i], b.Rows[i]
			if rng.Uint64()&1 != 0 {
				x, y = y, x
			}
			add(sa, x)
			add(sb, y)
		}
		swapped[r] = minus(b.Score(sb), a.Score(sa))
	})
	out := make([]Difference, len(a.Names))
	for k, iv := range intervals(drawn, len(a.Names), o.Level) {
		d := Difference{Name: a.Names[k], A: va[k], B: vb[k], Interval: iv}
		count := 0
		for _, s := range swapped {
			// Sums taken in another order differ in the last bits: without the
			// allowance two equal systems would not count as equal.
			if math.Abs(s[k]) >= math.Abs(vb[k]-va[k])-1e-12 {
				count++
			}
		}
		d.P = float64(count+1) / float64(o.Resamples+1)
		out[k] = d
	}
	return out
}

func minus(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] - y[i]
	}
	return out
}

// each calls f for every resample, with the resample's own random numbers.
func each(o Options, f func(r int, rng *rand.Rand)) {
	var wg sync.WaitGroup
	for w := range o.Workers {
		wg.Go(func() {
			for r := w; r < o.Resamples; r += o.Workers {
				f(r, rand.New(rand.NewPCG(o.Seed, uint64(r))))
			}
		})
	}
	wg.Wait()
}

// intervals takes the percentiles of each column.
func intervals(values [][]float64, columns int, level float64) []Interval {
	out := make([]Interval, columns)
	col := make([]float64, len(values))
	for k := range out {
		col = col[:0]
		for r := range values {
			if v := values[r][k]; !math.IsNaN(v) { // a draw without any value
				col = append(col, v)
			}
		}
		if len(col) == 0 {
			continue
		}
		slices.Sort(col)
		out[k] = Interval{quantile(col, (1-level)/2), quantile(col, (1+level)/2)}
	}
	return out
}

// quantile interpolates between sorted values.
func quantile(sorted []float64, q float64) float64 {
	x := q * float64(len(sorted)-1)
	i := int(x)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (x-float64(i))*(sorted[i+1]-sorted[i])
}
