//go:build unix

package narrow

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"syntic/kernels/attn"
	"syntic/kernels/conv"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

func rate(b *testing.B, flops float64) {
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// One thread, shapes of Stable Diffusion's UNet for a guidance step and of CLIP.
func BenchmarkProduct(b *testing.B) {
	for _, p := range append(isa.BF16(), isa.Int8()...) {
		k, pool := For(p), par.New(1)
		for _, s := range [][3]int{{8192, 320, 320}, {8192, 320, 960}, {8192, 320, 2560}, {8192, 1280, 320}, {2048, 640, 640}, {2048, 640, 5120}, {2048, 2560, 640},
			{512, 1280, 1280}, {512, 1280, 10240}, {512, 5120, 1280}, {128, 1280, 10240}, {1, 768, 3072}, {16, 1280, 1280}, {50, 768, 3072}} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", p, s[0], s[1], s[2]), func(b *testing.B) {
				M, K, N := s[0], s[1], s[2]
				r := rand.New(rand.NewPCG(1, 1))
				o := NewProduct(k, pool, gemm.Spec{M: M, N: N, K: K})
				a, c, ws := normal(r, par.Huge(M*K)), par.Huge(M*N), par.Huge(o.Workspace())
				w := o.Pack(gemm.FloatMatrix(normal(r, make([]float32, K*N)), gemm.KN, K, N))
				for b.Loop() {
					o.Run(c, a, w, nil, nil, nil, ws)
				}
				rate(b, 2*float64(M*N*K))
			})
		}
	}
}

func BenchmarkConv(b *testing.B) {
	for _, p := range append(isa.BF16(), isa.Int8()...) {
		k, pool := For(p), par.New(1)
		for _, s := range []conv.Spec{same3(2, 64, 64, 320, 320), same3(2, 64, 64, 960, 320), same3(2, 32, 32, 640, 640), same3(2, 16, 16, 1280, 1280),
			same3(2, 16, 16, 2560, 1280), same3(2, 8, 8, 1280, 1280), same3(1, 512, 512, 128, 128), same3(1, 256, 256, 256, 256)} {
			for _, norm := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%dx%dx%dx%dx%d/norm=%v", p, s.N, s.H, s.W, s.C, s.O, norm), func(b *testing.B) {
					s.Norm, s.NormAct, s.Bias = norm, ref.SiLU, true
					r := rand.New(rand.NewPCG(1, 1))
					o := NewConv(k, pool, s)
					x, y, ws := normal(r, par.Huge(s.N*s.H*s.W*s.C)), par.Huge(s.N*s.H*s.W*s.O), par.Huge(o.Workspace())
					n, bias := &conv.Norm{Scale: normal(r, make([]float32, s.N*s.C)), Shift: make([]float32, s.N*s.C)}, make([]float32, s.O)
					w := o.PackTaps(normal(r, make([]float32, s.O*s.C*9)))
					for b.Loop() {
						o.Run(y, x, w, bias, nil, n, ws)
					}
					rate(b, 18*float64(s.N*s.H*s.W*s.C*s.O))
				})
			}
		}
	}
}

func BenchmarkAttention(b *testing.B) {
	k := Best(isa.BF16())
	if k == nil || k.with != isa.AMXBF16 {
		b.Skip("NOT CHECKED: attention in bfloat16: this CPU or system has no AMX tiles")
	}
	pool := par.New(1)
	for _, s := range []attn.Spec{{B: 2, H: 8, LQ: 4096, LK: 4096, D: 40}, {B: 2, H: 8, LQ: 4096, LK: 77, D: 40}, {B: 2, H: 8, LQ: 1024, LK: 1024, D: 80}, {B: 2, H: 8, LQ: 256, LK: 256, D: 160}} {
		b.Run(fmt.Sprintf("%dx%dx%d", s.LQ, s.LK, s.D), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			f := func(l int) []float32 { return normal(r, par.Huge(s.B*l*s.H*s.D)) }
			o := NewAttention(k, pool, s)
			dst, q, kk, v, ws := f(s.LQ), f(s.LQ), f(s.LK), f(s.LK), par.Huge(o.Workspace())
			for b.Loop() {
				o.Run(dst, q, kk, v, ws)
			}
			rate(b, 4*float64(s.B*s.H*s.D)*float64(s.LQ*s.LK))
		})
	}
}
