package elem

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

func TestSums(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		px, py := newPage(t, 4*(2*callLen+64)), newPage(t, 4*(2*callLen+64))
		for _, n := range append(lengths(), sumLen, sumLen+1) {
			x, y := normal(rng(n), px.floats(n, true)), normal(rng(n+1), py.floats(n, true))
			var sum, size, dot, dotSize, sq float64
			for i, v := range x {
				a, b := float64(v), float64(y[i])
				sum, size, dot, dotSize, sq = sum+a, size+math.Abs(a), dot+a*b, dotSize+math.Abs(a*b), sq+a*a
			}
			require.InDelta(t, sum, k.Sum(x), 1e-6*size)
			require.InDelta(t, dot, k.Dot(x, y), 1e-6*dotSize)
			require.InDelta(t, sq, k.SumSquares(x), 1e-6*sq)
			moved := append([]float32{0}, x...)[1:] // another alignment
			require.Equal(t, k.Sum(x), k.Sum(moved))
		}
		x := make([]float32, 100)
		x[99] = float32(math.NaN())
		require.True(t, math.IsNaN(k.Sum(x)))
		x[99] = float32(math.Inf(-1))
		require.Equal(t, math.Inf(-1), k.Sum(x))
	})
}

func TestMaxAndArgMax(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, k *Kernel) {
		p := newPage(t, 4*(2*callLen+64))
		require.Equal(t, -inf, k.Max(nil))
		require.Equal(t, -1, k.ArgMax(nil))
		for _, n := range lengths() {
			if n == 0 {
				continue
			}
			for _, atEnd := range []bool{true, false} {
				x := p.floats(n, atEnd)
				for _, at := range []int{0, n / 3, n - 1} {
					for i := range x {
						x[i] = -5
					}
					x[at] = -1
					require.Equal(t, float32(-1), k.Max(x), "%d of %d", at, n)
					require.Equal(t, at, k.ArgMax(x))
					x[n-1] = -1
					require.Equal(t, at, k.ArgMax(x), "the first of two")
					x[at] = inf
					require.Equal(t, inf, k.Max(x))
					x[at] = nan
					require.True(t, k.Max(x) != k.Max(x), "%d of %d", at, n)
					require.Equal(t, at, k.ArgMax(x), "NaN counts as the largest")
				}
				for i := range x {
					x[i] = -inf
				}
				require.Equal(t, -inf, k.Max(x))
				require.Equal(t, 0, k.ArgMax(x))
			}
		}
	})
}

// topKs are how many are asked for: few, many, more than there are.
var topKs = []int{0, 1, 3, 5, 40, 300, 1024}

func TestTopK(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, k *Kernel) {
		p := newPage(t, 4*(2*callLen+64))
		for _, n := range lengths() {
			for _, top := range topKs {
				x, r := p.floats(n, true), rng(n*100+top)
				check := func(what string) {
					want := ref.TopK(x, top)
					idx := make([]int32, top)
					require.Equal(t, len(want), k.TopK(idx, x))
					for i, at := range want {
						require.Equal(t, at, int(idx[i]), "%s: place %d of %d of %d", what, i, top, n)
					}
				}
				normal(r, x)
				check("normal numbers")
				for i := range x {
					x[i] = float32(r.IntN(1 + n/2)) // many ties
				}
				check("ties")
				for i := range x {
					x[i] = []float32{-inf, -1, float32(math.Copysign(0, -1)), 0, inf}[r.IntN(5)]
				}
				check("infinities and zeros")
				for range n / 20 {
					x[r.IntN(n)] = nan
				}
				check("NaN anywhere")
				for i := range x {
					x[i] = float32(i)
				}
				for i := min(n, top) - 1; i >= 0; i -= 7 {
					x[i] = nan
				}
				check("NaN in the last place of the first ones")
			}
		}
	})
}

func TestTopKByHand(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		k    int
		want []int
	}{
		{[]float32{1, 3, 2, 3}, 3, []int{1, 3, 2}},
		{[]float32{1, 2, nan, 3, 9, 4, nan}, 5, []int{1, 0, 2, 4, 5}},
		{[]float32{1, nan, 9, 9}, 2, []int{0, 1}},
		{[]float32{nan, 5}, 4, []int{0, 1}},
	} {
		require.Equal(t, c.want, ref.TopK(c.x, c.k))
	}
}
