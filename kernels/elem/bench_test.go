package elem

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

func bestKernel(t testing.TB) *Kernel {
	l, err := isa.Best()
	require.NoError(t, err)
	return For(l)
}

// The shapes of the peers' benchmark.
func BenchmarkActivation(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		act  ref.Act
	}{{"gelu4096x1280", 4096 * 1280, ref.GELU}, {"gelu50x3072", 50 * 3072, ref.GELU},
		{"silu2x320x64x64", 2 * 320 * 64 * 64, ref.SiLU}, {"relu64x400x533", 64 * 400 * 533, ref.ReLU}} {
		for _, l := range isa.All()[1:] {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, l, workers), func(b *testing.B) {
					p := par.New(workers)
					defer p.Close()
					x, y := normal(rng(1), par.Aligned(c.n)), par.Aligned(c.n)
					u := For(l).NewUnary(p, c.n, c.act)
					b.SetBytes(int64(8 * c.n))
					for b.Loop() {
						u.Run(y, x)
					}
				})
			}
		}
	}
}

// Work in the cache: what an element costs.
func BenchmarkFunctions(b *testing.B) {
	x, y := normal(rng(1), par.Aligned(4096)), par.Aligned(4096)
	for _, f := range functions {
		for _, l := range isa.All()[1:] {
			b.Run(fmt.Sprintf("%s/%s", f.name, l), func(b *testing.B) {
				k := For(l)
				b.SetBytes(8 * 4096)
				for b.Loop() {
					f.run(k, y, x)
				}
			})
		}
	}
}

func BenchmarkTopK(b *testing.B) {
	k, x := bestKernel(b), normal(rng(1), make([]float32, 49408))
	for _, n := range []int{5, 10, 128, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			idx := make([]int32, n)
			b.SetBytes(4 * 49408)
			for b.Loop() {
				k.TopK(idx, x)
			}
		})
	}
}
