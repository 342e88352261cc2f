package attn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// The shapes of CLIP, Stable Diffusion, DETR and the caption decoder.
var shapes = []Spec{
	{B: 1, H: 8, LQ: 4096, LK: 4096, D: 40},
	{B: 1, H: 8, LQ: 1024, LK: 1024, D: 80},
	{B: 1, H: 8, LQ: 256, LK: 256, D: 160},
	{B: 1, H: 8, LQ: 64, LK: 64, D: 160},
	{B: 1, H: 8, LQ: 4096, LK: 77, D: 40},
	{B: 1, H: 12, LQ: 50, LK: 50, D: 64},
	{B: 1, H: 8, LQ: 77, LK: 77, D: 64},
	{B: 1, H: 8, LQ: 77, LK: 77, D: 64, Causal: true},
	{B: 1, H: 8, LQ: 850, LK: 850, D: 32},
	{B: 1, H: 8, LQ: 100, LK: 850, D: 32, KeyMask: true},
	{B: 1, H: 4, LQ: 20, LK: 20, D: 192, Causal: true},
	{B: 1, H: 4, LQ: 1, LK: 20, D: 192, Causal: true},
	{B: 64, H: 4, LQ: 1, LK: 77, D: 192, Causal: true},
	{B: 1, H: 4, LQ: 1, LK: 100, D: 128},
	{B: 1, H: 1, LQ: 4096, LK: 4096, D: 512},
}

func BenchmarkAttn(b *testing.B) {
	for _, l := range isa.All() {
		pool := par.New(1)
		for _, s := range shapes {
			if l == isa.Portable && s.LQ*s.LK > 1<<20 {
				continue
			}
			name := fmt.Sprintf("%s/%dx%dx%dx%d_d%d", l, s.B, s.H, s.LQ, s.LK, s.D)
			if s.Causal {
				name += "_causal"
			}
			b.Run(name, func(b *testing.B) {
				p := newProblem(rand.New(rand.NewPCG(1, 2)), s, s.LK)
				for i := range p.mask {
					p.mask[i] = 1
				}
				o := New(For(l), pool, s)
				dst, ws := make([]float32, len(p.q)), par.Aligned(o.Workspace())
				for b.Loop() {
					o.Run(dst, p.q, p.k, p.v, p.mask, p.lk, ws)
				}
				flops := 4 * float64(s.B*s.H*s.LQ*s.LK*s.D)
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
