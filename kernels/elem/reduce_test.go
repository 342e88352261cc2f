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

func TestTopK(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		p := newPage(t, 4*(2*callLen+64))
		for _, n := range lengths() {
			for _, top := range []int{0, 1, 3, 5, 40} {
				x, r := p.floats(n, true), rng(n*100+top)
				for i := range x {
					x[i] = float32(r.IntN(1 + n/2)) // many ties
				}
				if n > 20 && top == 5 {
					x[n-1], x[n/2] = float32(math.NaN()), float32(math.Inf(-1))
				}
				if n > 60 && top == 3 {
					for _, i := range []int{50, 7, 33, 12} {
						x[i] = float32(math.NaN())
					}
				}
				idx, val := make([]int, top), make([]float32, top)
				got := k.TopK(idx, val, x)
				require.Equal(t, ref.TopK(x, top), append([]int(nil), idx[:got]...), "%d of %d", top, n)
				for i := range got {
					sameBits(t, x[idx[i]:idx[i]+1], val[i:i+1])
				}
			}
		}
	})
}
