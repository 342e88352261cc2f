package devtest

import (
	"syntic/kernels/ref"
	"syntic/tensor/graph"
	"syntic/weights"
)

// largeCases have enough work that a device splits it among its threads, in
// sizes that don't divide evenly.
func largeCases() []testCase {
	var all []testCase
	add := func(name string, tol float64, f func(k *kit, b *graph.Builder) graph.Value) {
		all = append(all, testCase{name: "Large/" + name, tol: tol, record: func(k *kit, b *graph.Builder) { k.out(b, "y", f(k, b)) }})
	}
	linear := linearCase(150, 300, 390, graph.NK, weights.F32, true, ref.GELU)
	one := linearCase(1, 700, 1030, graph.NK, weights.F32, true, ref.None)
	linear.name, one.name = "Large/Linear", "Large/Linear of one row"
	all = append(all, linear, one)
	add("products with long rows between", 3e-6, func(k *kit, b *graph.Builder) graph.Value {
		h := b.Linear(k.in(b, "x", 19, 24), k.weight("in", 2048, 24), graph.LinearOpts{Act: ref.GELU})
		return b.Linear(h, k.weight("out", 24, 2048), graph.LinearOpts{Bias: k.weight("bias", 24)})
	})
	add("MatMul", products, func(k *kit, b *graph.Builder) graph.Value {
		return b.MatMul(k.in(b, "x", 6, 101, 70), k.in(b, "y", 6, 130, 70), graph.NK, 0.5)
	})
	add("Conv2D 3x3", products, func(k *kit, b *graph.Builder) graph.Value {
		return b.Conv2D(k.in(b, "x", 27, 29, 48), k.weight("weight", 70, 48, 3, 3), graph.ConvOpts{Bias: k.weight("bias", 70), Act: ref.ReLU, Pad: graph.Pad{Top: 1, Left: 1, Bottom: 1, Right: 1}})
	})
	add("Conv2D 1x1", products, func(k *kit, b *graph.Builder) graph.Value {
		x := k.in(b, "x", 27, 29, 96)
		return b.Conv2D(x, k.weight("weight", 96, 96, 1, 1), graph.ConvOpts{Residual: x})
	})
	add("Conv2D 7x7", products, func(k *kit, b *graph.Builder) graph.Value {
		return b.Conv2D(k.in(b, "x", 61, 67, 3), k.weight("weight", 64, 3, 7, 7), graph.ConvOpts{Stride: 2, Pad: graph.Pad{Top: 3, Left: 3, Bottom: 3, Right: 3}})
	})
	add("MaxPool", 0, func(k *kit, b *graph.Builder) graph.Value { return b.MaxPool(k.in(b, "x", 61, 67, 40), 3, 2, 1) })
	add("Upsample", 0, func(k *kit, b *graph.Builder) graph.Value { return b.Upsample(k.in(b, "x", 31, 27, 40), 62, 54) })
	add("Attention", 2e-6, func(k *kit, b *graph.Builder) graph.Value {
		x := k.made(b, "x", 211, 3*160)
		return b.Attention(x, x, x, graph.AttentionOpts{Heads: 5, D: 32, KOff: 160, VOff: 320})
	})
	add("Attention, masked", 2e-6, func(k *kit, b *graph.Builder) graph.Value {
		x := k.made(b, "x", 211, 160)
		return b.Attention(k.made(b, "q", 50, 160), x, x, graph.AttentionOpts{Heads: 5, D: 32, Mask: k.mask(b, "mask", 211)})
	})
	add("LayerNorm", 2e-6, func(k *kit, b *graph.Builder) graph.Value {
		return b.LayerNorm(k.in(b, "x", 301, 517), k.weight("w", 517), k.weight("b", 517), 1e-5)
	})
	add("GroupNorm", 2e-6, func(k *kit, b *graph.Builder) graph.Value {
		return b.GroupNorm(k.in(b, "x", 61, 67, 40), k.weight("w", 40), k.weight("b", 40), 8, 1e-5, ref.SiLU)
	})
	rows := func(k *kit, b *graph.Builder) graph.Value { return k.in(b, "x", 301, 517) }
	add("Softmax", 1e-6, func(k *kit, b *graph.Builder) graph.Value { return b.Softmax(rows(k, b), 5) })
	add("LogSoftmax", 1e-6, func(k *kit, b *graph.Builder) graph.Value { return b.LogSoftmax(rows(k, b)) })
	add("Normalizer", 1e-6, func(k *kit, b *graph.Builder) graph.Value { return b.Normalizer(rows(k, b)) })
	add("L2Norm", 1e-6, func(k *kit, b *graph.Builder) graph.Value { return b.L2Norm(rows(k, b)) })
	add("ArgMax", 0, func(k *kit, b *graph.Builder) graph.Value { return b.ArgMax(rows(k, b)) })
	add("TopK", 0, func(k *kit, b *graph.Builder) graph.Value { return b.TopK(rows(k, b), 10) })
	add("Add", 1e-7, func(k *kit, b *graph.Builder) graph.Value { return b.Add(rows(k, b), k.in(b, "y", 301, 517)) })
	add("Mul by a row", 1e-7, func(k *kit, b *graph.Builder) graph.Value {
		return b.Mul(rows(k, b), b.Const(uniform(stream("const"), 517), 517))
	})
	add("GEGLU", 1e-6, func(k *kit, b *graph.Builder) graph.Value { return b.GEGLU(k.in(b, "x", 301, 2*130)) })
	add("Embed", 0, func(k *kit, b *graph.Builder) graph.Value {
		return b.Embed(k.ids(b, "ids", 999, 501), k.weight("table", 999, 517))
	})
	add("Concat", 0, func(k *kit, b *graph.Builder) graph.Value { return b.Concat(2, rows(k, b), k.in(b, "y", 301, 5)) })
	add("Slice", 0, func(k *kit, b *graph.Builder) graph.Value { return b.Slice(rows(k, b), 2, 100, 401) })
	add("Permute", 0, func(k *kit, b *graph.Builder) graph.Value { return b.Permute(rows(k, b), 0, 2, 1) })
	add("Rows", products, func(k *kit, b *graph.Builder) graph.Value {
		w := k.weightAs("rows", weights.F16, 5003, 64)
		return b.RowSum(b.Softmax(b.RowDots(k.in(b, "x", 64), w), 20), w)
	})
	return all
}
