package bench

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// enumerate is the test by its definition: over all ways to call n of the n+m
// values a's, the share with a U at least as extreme.
func enumerate(a, b []float64) float64 {
	all := append(append([]float64(nil), a...), b...)
	least := func(mask uint) float64 {
		u, n := 0.0, 0
		for i, x := range all {
			if mask>>i&1 == 0 {
				continue
			}
			n++
			for j, y := range all {
				if mask>>j&1 == 0 && x < y {
					u++
				}
			}
		}
		return min(u, float64(n*(len(all)-n))-u)
	}
	seen := least(1<<len(a) - 1)
	hits, ways := 0, 0
	for mask := range uint(1) << len(all) {
		if bits.OnesCount(mask) == len(a) {
			ways++
			if least(mask) <= seen {
				hits++
			}
		}
	}
	return float64(hits) / float64(ways)
}

func TestMannWhitney(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := 1; n <= 6; n++ {
		for m := 1; m <= 6; m++ {
			a, b := make([]float64, n), make([]float64, m)
			for i := range a {
				a[i] = r.Float64()
			}
			for i := range b {
				b[i] = r.Float64() + 0.3
			}
			require.InDelta(t, enumerate(a, b), mannWhitney(a, b), 1e-12)
			require.InDelta(t, mannWhitney(a, b), mannWhitney(b, a), 1e-12)
		}
	}
	five, more := []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}
	require.InDelta(t, 2.0/252, mannWhitney(five, more), 1e-15)
	require.Less(t, mannWhitney(five, more), Level)
	require.Greater(t, mannWhitney(five[:4], more[:4]), Level, "four rounds can't be significant")
	require.Equal(t, 1.0, mannWhitney(five, five), "all ties")
	require.Equal(t, 1.0, mannWhitney(nil, five))
	long := make([]float64, MaxRounds)
	require.Equal(t, 1.0, mannWhitney(long, long))
}

func report(rounds map[string][]float64, names ...string) *Report {
	r := sample()
	r.Results = nil
	for _, n := range names {
		r.Results = append(r.Results, Result{Name: n, Seconds: median(rounds[n]), Rounds: rounds[n]})
	}
	return r
}

func TestCompare(t *testing.T) {
	a := report(map[string][]float64{"x": {6, 7, 8, 9, 10}, "y": {1, 2, 3, 4, 5}, "z": {1, 1, 1, 1, 1}, "zero": {0, 0, 0, 0, 0}}, "x", "y", "z", "zero", "old")
	b := report(map[string][]float64{"x": {1, 2, 3, 4, 5}, "y": {6, 7, 8, 9, 10}, "z": {1, 1, 1, 1, 2}, "zero": {1, 2, 3, 4, 5}}, "new", "zero", "z", "y", "x")
	b.Machine.CPU, b.Threads = "slide rule", 1
	c, err := Compare(a, b)
	require.NoError(t, err)
	require.Len(t, c.Changes, 4)
	p := 2.0 / 252
	require.Equal(t, "x", c.Changes[0].Name)
	require.InDelta(t, 8.0/3, c.Changes[0].Ratio, 1e-12)
	require.InDelta(t, p, c.Changes[0].P, 1e-12)
	require.True(t, c.Changes[0].Marked)
	require.True(t, c.Changes[1].Marked)
	require.False(t, c.Changes[2].Marked)
	require.Zero(t, c.Changes[3].Ratio, "no division by zero")
	require.Equal(t, []string{"CPU differs: abacus and slide rule", "threads differs: 2 and 1", "only the first report has old", "only the second report has new"}, c.Notes)

	var text bytes.Buffer
	require.NoError(t, c.Text(&text))
	require.Regexp(t, `(?m)^x +8 s +3 s +2\.667 +0\.0079 +faster$`, text.String())
	require.Regexp(t, `(?m)^y +3 s +8 s +0\.375 +0\.0079 +slower$`, text.String())
	require.Regexp(t, `(?m)^z +1 s +1 s +1\.000 +0\.69 +~$`, text.String())
	text.Reset()
	require.NoError(t, c.Markdown(&text))
	require.Contains(t, text.String(), "| x | 8 s | 3 s | 2.667 | 0.0079 | faster |")
	text.Reset()
	require.NoError(t, c.JSON(&text))
	require.Contains(t, text.String(), `"significant": true`)

	a.Results[0].Rounds = a.Results[0].Rounds[:4]
	c, err = Compare(a, a)
	require.NoError(t, err)
	require.Contains(t, c.Notes[len(c.Notes)-1], "fewer than 5 rounds")
	_, err = Compare(report(nil, "p"), report(nil, "q"))
	require.ErrorContains(t, err, "no workload in common")
}
