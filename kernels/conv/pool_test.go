package conv

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

func TestPoolMatchesReference(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 120 {
			s := PoolSpec{N: 1 + r.IntN(2), H: 1 + r.IntN(9), W: 1 + r.IntN(12), C: 1 + r.IntN(40), KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
				StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), PadT: r.IntN(2), PadL: r.IntN(2), PadB: r.IntN(2), PadR: r.IntN(2),
				DilH: 1 + r.IntN(2), Mean: i%2 == 0, CountPad: i%4 == 0}
			if i == 1 { // the max pool after DETR's first convolution
				s = PoolSpec{N: 1, H: 30, W: 41, C: 64, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadT: 1, PadL: 1, PadB: 1, PadR: 1}
			}
			if s.Check() != nil {
				continue
			}
			g := s.geometry()
			x := normal(r, guarded(t, g.N*g.H*g.W*g.C, true))
			if i%3 == 0 {
				x[r.IntN(len(x))] = float32(math.NaN())
				x[r.IntN(len(x))] = float32(math.Inf(1))
				x[r.IntN(len(x))] = float32(math.Inf(-1))
			}
			dst := guarded(t, g.N*g.OutH()*g.OutW()*g.C, true)
			want := make([]float32, len(dst))
			if s.Mean {
				ref.AvgPool(want, x, g, s.CountPad)
			} else {
				ref.MaxPool(want, x, g)
			}
			for _, workers := range []int{1, 3} {
				pool := par.New(workers)
				NewPool(k, pool, s).Run(dst, x)
				pool.Close()
				for j, w := range want {
					same := math.IsNaN(float64(w)) && math.IsNaN(float64(dst[j])) || w == dst[j]
					if s.Mean && !same {
						require.InDelta(t, w, dst[j], 3e-6, "%+v at %d", s, j)
					} else {
						require.True(t, same, "%+v at %d: %v, want %v", s, j, dst[j], w)
					}
				}
			}
		}
	})
}

func TestPoolDoesNotAllocate(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, mean := range []bool{false, true} {
			o := NewPool(k, pool, PoolSpec{N: 1, H: 9, W: 9, C: 20, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Mean: mean})
			x, dst := make([]float32, 9*9*20), make([]float32, 5*5*20)
			require.Zero(t, testing.AllocsPerRun(10, func() { o.Run(dst, x) }))
		}
	})
}
