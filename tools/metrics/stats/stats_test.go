package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
)

func TestBootstrap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 400)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	s := Mean("m", values)
	a := Bootstrap(s, Options{Seed: 5, Resamples: 2000})
	b := Bootstrap(s, Options{Seed: 5, Resamples: 2000, Workers: 3})
	require.Equal(t, a, b, "the number of workers must not change a bit")
	se := stat.StdErr(stat.StdDev(values, nil), 400)
	require.InDelta(t, stat.Mean(values, nil)-1.96*se, a[0].Low, 0.2*se)
	require.InDelta(t, stat.Mean(values, nil)+1.96*se, a[0].High, 0.2*se)
	require.NotEqual(t, a, Bootstrap(s, Options{Seed: 6, Resamples: 2000}))
	one := Bootstrap(Mean("m", []float64{3}), Options{})
	require.Equal(t, []Interval{{3, 3}}, one)
}

func TestCompare(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, same, better := make([]float64, 300), make([]float64, 300), make([]float64, 300)
	for i := range x {
		x[i] = rng.NormFloat64()
		same[i] = x[i] + 0.5*rng.NormFloat64()
		better[i] = x[i] + 0.2 + 0.5*rng.NormFloat64()
	}
	equal := Compare(Mean("m", x), Mean("m", x), Options{})[0]
	require.Equal(t, 1.0, equal.P)
	require.Zero(t, equal.Low)
	require.Zero(t, equal.High)
	d := Compare(Mean("m", x), Mean("m", better), Options{Seed: 1})[0]
	require.Less(t, d.P, 0.002)
	require.Positive(t, d.Low)
	require.Greater(t, Compare(Mean("m", x), Mean("m", same), Options{Seed: 1})[0].P, 0.01)
}

// TestKendall compares with the definition, pair by pair.
func TestKendall(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		n := 2 + rng.IntN(60)
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = float64(rng.IntN(20)), float64(rng.IntN(4))
		}
		var p, q, tx, ty float64
		dx, dy := map[float64]bool{}, map[float64]bool{}
		for i := range x {
			dx[x[i]], dy[y[i]] = true, true
			for j := range i {
				switch s := (x[i] - x[j]) * (y[i] - y[j]); {
				case s > 0:
					p++
				case s < 0:
					q++
				}
				if x[i] == x[j] {
					tx++
				}
				if y[i] == y[j] {
					ty++
				}
			}
		}
		if len(dx) < 2 || len(dy) < 2 {
			continue
		}
		m := float64(min(len(dx), len(dy)))
		got := Kendall(x, y)
		require.InDelta(t, (p-q)/math.Sqrt((pairs(n)-tx)*(pairs(n)-ty)), got.B, 1e-12)
		require.InDelta(t, 2*(p-q)*m/(float64(n*n)*(m-1)), got.C, 1e-12)
	}
	require.True(t, math.IsNaN(Kendall([]float64{1, 1}, []float64{1, 2}).B))
}
