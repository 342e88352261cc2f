package devtest

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// widths are row lengths with every kind of tail.
var widths = []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, 200, 513}

func normCases() []testCase {
	var all []testCase
	for _, c := range widths {
		add := func(kind string, tol float64, f func(k *kit, b *graph.Builder, x graph.Value) graph.Value) {
			all = append(all, testCase{name: fmt.Sprintf("%s/%d", kind, c), tol: tol, record: func(k *kit, b *graph.Builder) {
				k.out(b, "y", f(k, b, k.in(b, "x", 3, c)))
			}})
		}
		add("LayerNorm", 2e-6, func(k *kit, b *graph.Builder, x graph.Value) graph.Value {
			return b.LayerNorm(x, k.weight("w", c), k.weight("b", c), 1e-3)
		})
		add("Softmax", 1e-6, func(_ *kit, b *graph.Builder, x graph.Value) graph.Value { return b.Softmax(x, 9) })
		add("LogSoftmax", 1e-6, func(_ *kit, b *graph.Builder, x graph.Value) graph.Value { return b.LogSoftmax(x) })
		add("Normalizer", 1e-6, func(_ *kit, b *graph.Builder, x graph.Value) graph.Value { return b.Normalizer(x) })
		add("L2Norm", 1e-6, func(_ *kit, b *graph.Builder, x graph.Value) graph.Value { return b.L2Norm(x) })
		add("ArgMax", 0, func(_ *kit, b *graph.Builder, x graph.Value) graph.Value { return b.ArgMax(x) })
	}
	for _, c := range [][4]int{{1, 1, 2, 1}, {3, 5, 8, 4}, {4, 7, 12, 3}, {5, 5, 32, 32}, {9, 8, 64, 2}, {2, 3, 30, 6}} {
		for _, act := range []graph.Act{ref.None, ref.SiLU, ref.GELU} {
			all = append(all, testCase{name: fmt.Sprintf("GroupNorm/%dx%dx%d in %d/%v", c[0], c[1], c[2], c[3], act), tol: 2e-6, record: func(k *kit, b *graph.Builder) {
				k.out(b, "y", b.GroupNorm(k.in(b, "x", c[0], c[1], c[2]), k.weight("w", c[2]), k.weight("b", c[2]), c[3], 1e-3, act))
			}})
		}
	}
	return all
}

func attentionCases() []testCase {
	var all []testCase
	for _, s := range [][4]int{{1, 1, 1, 4}, {5, 5, 2, 8}, {7, 13, 3, 16}, {50, 50, 2, 64}, {3, 77, 4, 40}, {33, 65, 1, 33}, {1, 20, 4, 32}, {70, 70, 1, 80}, {1, 21, 4, 192}} {
		for _, kind := range []string{"", "causal", "mask", "causal+mask"} {
			lq, lk, h, d := s[0], s[1], s[2], s[3]
			all = append(all, testCase{name: fmt.Sprintf("Attention/%dx%d, %d of %d/%s", lq, lk, h, d, kind), tol: 2e-6, record: func(k *kit, b *graph.Builder) {
				o := graph.AttentionOpts{Heads: h, D: d, Causal: kind == "causal" || kind == "causal+mask"}
				if kind == "mask" || kind == "causal+mask" {
					o.Mask = k.mask(b, "mask", lk)
				}
				k.out(b, "y", b.Attention(k.made(b, "q", lq, h*d), k.made(b, "k", lk, h*d), k.made(b, "v", lk, h*d), o))
			}})
		}
	}
	packed := func(k *kit, b *graph.Builder) {
		x := k.made(b, "qkv", 11, 3*24+5)
		k.out(b, "y", b.Attention(x, x, x, graph.AttentionOpts{Heads: 3, D: 8, QOff: 2, KOff: 27, VOff: 53, Scale: 0.4}))
	}
	const length, width = 9, 24
	// A decoder's steps: the cache grows by two rows a step, its sequences
	// change places, and the queries see what is in use.
	growing := func(k *kit, b *graph.Builder) {
		at := k.number(b, "at", func(step int) int { return 2 * step })
		used := k.number(b, "used", func(step int) int { return 2*step + 2 })
		qkv := k.made(b, "qkv", 2, 3*width)
		cache := k.state("cache", length, 2*width)
		if k.n > 1 {
			b.CacheSelect(cache, k.ids(b, "from", k.n), at)
		}
		kv := b.CacheWrite(cache, qkv, width, at)
		k.out(b, "y", b.Attention(qkv, kv, kv, graph.AttentionOpts{Heads: 2, D: width / 2, VOff: width, Used: used, Causal: true}))
		k.out(b, "kept", b.Scale(kv, 1))
	}
	plain := func(k *kit, b *graph.Builder) {
		at := k.number(b, "at", func(step int) int { return step })
		used := k.number(b, "used", func(step int) int { return step })
		qkv := k.made(b, "qkv", 1, 3*width)
		kv := b.CacheWrite(k.state("cache", length, 2*width), qkv, width, at)
		// used lags behind: the first step sees no key at all.
		k.out(b, "y", b.Attention(qkv, kv, kv, graph.AttentionOpts{Heads: 1, D: width, VOff: width, Used: used}))
	}
	return append(all,
		testCase{name: "Attention/columns of a packed row", tol: 2e-6, record: packed},
		testCase{name: "Cache/select, write, attend", tol: 2e-6, steps: 4, record: growing, alone: true},
		testCase{name: "Cache/write, attend", tol: 2e-6, steps: 5, record: plain},
	)
}
