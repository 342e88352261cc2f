package norm

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

var groupShapes = []struct{ n, hw, c, groups int }{
	{1, 3, 1, 1}, {2, 15, 8, 4}, {1, 7, 6, 1}, {3, 5, 17, 17}, {2, 33, 64, 32}, {1, 100, 96, 32},
	{1, 31, 129, 3}, {2, 70, 320, 32}, {1, pixelChunk/32 + 5, 32, 8}, {1, 2*pixelChunk/100 + 1, 100, 10},
}

func TestGroupNorm(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, s := range groupShapes {
			for _, act := range []ref.Act{ref.None, ref.SiLU} {
				t.Run(fmt.Sprint(s, act), func(t *testing.T) {
					x := normal(rng(s.c), guarded(t, s.n*s.hw*s.c, true))
					for i := range x {
						x[i] = x[i]*0.5 + 3
					}
					w, b := weights(s.c)
					want := ref.GroupNorm(x, w, b, s.n, s.hw, s.c, s.groups, 1e-5, act)
					var first []float32
					for _, workers := range []int{1, 2, 3} {
						p := par.New(workers)
						o := k.NewGroupNorm(p, s.n, s.hw, s.c, s.groups, 1e-5, act)
						y := guarded(t, len(x), true)
						require.Zero(t, testing.AllocsPerRun(20, func() { o.Run(y, x, w, b) }))
						require.LessOrEqual(t, relErr(want, y), 1e-6)
						if first == nil {
							first = y
						}
						sameBits(t, first, y, workers)
						p.Close()
					}
					p := par.New(1)
					defer p.Close()
					one := k.NewGroupNorm(p, 1, s.hw, s.c, s.groups, 1e-5, act)
					size := s.hw * s.c
					last := make([]float32, size)
					one.Run(last, x[(s.n-1)*size:], w, b)
					sameBits(t, first[(s.n-1)*size:], last, "a picture alone")
					one.Run(last, append(last[:0], x[:size]...), w, b)
					sameBits(t, first[:size], last, "in place")
				})
			}
		}
	})
}

// Statistics about a mean 1e4 times the deviation, with one wild first value.
func TestGroupNormStatsOfLargeMean(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const n, hw, c, groups = 2, 3000, 32, 8
		x, r := make([]float32, n*hw*c), rng(5)
		for i := range x {
			x[i] = 3000 + float32(r.IntN(64))/128
		}
		x[0] = 0
		w, b := weights(c)
		p := par.New(2)
		defer p.Close()
		o := k.NewGroupNorm(p, n, hw, c, groups, 1e-5, ref.None)
		scale, shift := make([]float32, n*c), make([]float32, n*c)
		require.Zero(t, testing.AllocsPerRun(20, func() { o.Stats(scale, shift, x, w, b) }))
		got := make([]float64, len(x))
		for i, v := range x {
			at := i/(hw*c)*c + i%c
			got[i] = float64(v)*float64(scale[at]) + float64(shift[at])
		}
		want := ref.GroupNorm(x, w, b, n, hw, c, groups, 1e-5, ref.None)
		for i := range want { // the rounding of scale times 3000 remains
			require.InDelta(t, want[i], got[i], 3000*6.1e-8*2*float64(max(1, abs(scale[i/(hw*c)*c+i%c]))), "at %d", i)
		}
	})
}

func abs(v float32) float32 { return max(v, -v) }

func TestGroupNormRefusesGroupsThatDontDivide(t *testing.T) {
	p := par.New(1)
	defer p.Close()
	require.PanicsWithValue(t, "norm: 10 channels in 3 groups", func() { For(0).NewGroupNorm(p, 1, 4, 10, 3, 1e-5, ref.None) })
}
