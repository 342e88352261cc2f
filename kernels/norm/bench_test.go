package norm

import (
	"fmt"
	"testing"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// The shapes of the peers' benchmark.
func BenchmarkNorm(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
		plan planner
	}{
		{"groupnorm2x320x64x64", 2 * 320 * 64 * 64, groupNorm(2, 64*64, 320)},
		{"groupnorm1x128x512x512", 128 * 512 * 512, groupNorm(1, 512*512, 128)},
		{"layernorm8192x320", 8192 * 320, layerNorm(8192, 320)},
		{"layernorm50x768", 50 * 768, layerNorm(50, 768)},
		{"softmax32768x1024", 32768 * 1024, softmax(32768, 1024)},
		{"softmax600x50", 600 * 50, softmax(600, 50)},
	} {
		for _, l := range isa.All()[1:] {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, l, workers), func(b *testing.B) {
					p := par.New(workers)
					defer p.Close()
					x, y := normal(rng(1), par.Aligned(c.size)), par.Aligned(c.size)
					w, bias := weights(768)
					run := c.plan(For(l), p, w, bias)
					b.SetBytes(int64(8 * c.size))
					for b.Loop() {
						run(y, x)
					}
				})
			}
		}
	}
}

type planner = func(k *Kernel, p *par.Pool, w, bias []float32) func(dst, x []float32)

func groupNorm(n, hw, c int) planner {
	return func(k *Kernel, p *par.Pool, w, bias []float32) func(dst, x []float32) {
		o := k.NewGroupNorm(p, n, hw, c, 32, 1e-5, ref.None)
		return func(dst, x []float32) { o.Run(dst, x, w[:c], bias[:c]) }
	}
}

func layerNorm(m, n int) planner {
	return func(k *Kernel, p *par.Pool, w, bias []float32) func(dst, x []float32) {
		o := k.NewLayerNorm(p, m, n, 1e-5)
		return func(dst, x []float32) { o.Run(dst, x, w[:n], bias[:n]) }
	}
}

func softmax(m, n int) planner {
	return func(k *Kernel, p *par.Pool, _, _ []float32) func(dst, x []float32) {
		o := k.NewSoftmax(p, m, n, n, 1)
		return func(dst, x []float32) { o.Run(dst, x, nil, nil) }
	}
}
