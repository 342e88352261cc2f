package conv

import (
	"fmt"
	"runtime"
	"testing"

	"math/rand/v2"

	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// BenchmarkConv/<isa>/<shape>/<algorithm>/<workers>: the shapes of Stable
// Diffusion's UNet and VAE, of ResNet-50 in DETR, and of ViT-B/32.
func BenchmarkConv(b *testing.B) {
	shapes := [][6]int{ // C H W O K stride
		{320, 64, 64, 320, 3, 1}, {640, 32, 32, 640, 3, 1}, {1280, 16, 16, 1280, 3, 1}, {1280, 8, 8, 1280, 3, 1}, {512, 64, 64, 512, 3, 1},
		{256, 256, 256, 256, 3, 1}, {128, 512, 512, 128, 3, 1}, {64, 200, 267, 64, 3, 1}, {512, 25, 34, 512, 3, 1},
		{256, 200, 267, 64, 1, 1}, {1024, 50, 67, 256, 1, 1}, {3, 800, 1066, 64, 7, 2}, {3, 224, 224, 768, 32, 32},
	}
	for _, l := range isa.All()[1:] {
		for _, c := range shapes {
			s := Spec{N: 1, C: c[0], H: c[1], W: c[2], O: c[3], KH: c[4], KW: c[4], StrideH: c[5], StrideW: c[5]}
			if p := c[4] / 2; c[4] < 32 {
				s.PadT, s.PadL, s.PadB, s.PadR = p, p, p, p
			}
			for _, s.Algorithm = range []Algo{Direct, WinogradF2, WinogradF4} {
				if s.Check() != nil {
					continue
				}
				for workers := 1; workers <= min(2, runtime.NumCPU()); workers++ {
					b.Run(fmt.Sprintf("%v/%d-%d_%dx%d_k%ds%d/%v/%d", l, s.C, s.O, s.H, s.W, s.KH, s.StrideH, s.Algorithm, workers), func(b *testing.B) {
						benchmark(b, For(l), workers, s)
					})
				}
			}
		}
	}
}

func benchmark(b *testing.B, k *Kernel, workers int, s Spec) {
	pool := par.New(workers)
	defer pool.Close()
	op := New(k, pool, s)
	g := s.geometry()
	r := rand.New(rand.NewPCG(1, 1))
	noise := func(n int) []float32 {
		x := par.Aligned(n)
		for i := range x {
			x[i] = r.Float32() - 0.5
		}
		return x
	}
	macs := g.O * g.C / g.Groups * g.KH * g.KW
	w := op.Pack(noise(macs))
	x, dst, ws := noise(g.N*g.H*g.W*g.C), noise(g.N*g.OutH()*g.OutW()*g.O), par.Aligned(op.Workspace())
	b.ReportAllocs()
	for b.Loop() {
		op.Run(dst, x, w, nil, nil, nil, ws)
	}
	b.ReportMetric(2e-9*float64(macs*g.N*g.OutH()*g.OutW())*float64(b.N)/b.Elapsed().Seconds(), "GFLOPS")
}
