package devtest

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
	"syntic/weights"
)

func elemCases() []testCase {
	var all []testCase
	add := func(name string, tol float64, record func(k *kit, b *graph.Builder)) {
		all = append(all, testCase{name: name, tol: tol, record: record})
	}
	for _, act := range acts {
		for _, c := range []int{1, 5, 16, 37, 129} {
			add(fmt.Sprintf("Activate/%v/%d", act, c), 1e-6, func(k *kit, b *graph.Builder) {
				k.out(b, "y", b.Activate(b.Scale(k.in(b, "x", c), 6), act))
			})
		}
	}
	add("Scale/by zero", 0, func(k *kit, b *graph.Builder) { k.out(b, "y", b.Scale(k.in(b, "x", 21), 0)) })
	add("Activate/large", 1e-6, func(k *kit, b *graph.Builder) { k.out(b, "y", b.Activate(k.in(b, "x", 70_001), ref.GELU)) })
	for _, c := range []int{1, 3, 16, 35, 100} {
		add(fmt.Sprintf("Add/%d", c), 1e-7, func(k *kit, b *graph.Builder) {
			x, y := k.in(b, "x", 3, c), k.in(b, "y", 3, c)
			k.out(b, "same", b.Add(x, y))
			k.out(b, "weight", b.AddParam(x, k.weight("w", c)))
			k.out(b, "rows", b.AddParam(x, k.weight("m", 3, c)))
			k.out(b, "each", b.AddEach(x, k.in(b, "z", c)))
			k.out(b, "const", b.Add(x, b.Const(uniform(stream("const"), c), c)))
		})
		add(fmt.Sprintf("Mul/%d", c), 1e-7, func(k *kit, b *graph.Builder) {
			x, y := k.in(b, "x", 3, c), k.in(b, "y", 3, c)
			k.out(b, "same", b.Mul(x, y))
			k.out(b, "itself", b.Mul(x, x))
			k.out(b, "const", b.Mul(x, b.Const(uniform(stream("const"), 3*c), 3, c)))
			k.out(b, "scalar", b.Mul(b.Reshape(x, k.n, 3, c, 1), b.Const([]float32{3}, 1)))
		})
		add(fmt.Sprintf("GEGLU/%d", c), 1e-6, func(k *kit, b *graph.Builder) {
			k.out(b, "y", b.GEGLU(b.Scale(k.in(b, "x", 3, 2*c), 3)))
		})
		add(fmt.Sprintf("Embed/%d", c), 0, func(k *kit, b *graph.Builder) {
			k.out(b, "y", b.Embed(k.ids(b, "ids", 29, 5), k.weight("table", 29, c)))
		})
		add(fmt.Sprintf("Gather/%d", c), 0, func(k *kit, b *graph.Builder) {
			k.out(b, "y", b.Gather(k.in(b, "x", 7, c), k.ids(b, "index", 7)))
			k.out(b, "several", b.Gather(k.in(b, "z", 7, c), k.ids(b, "indices", 7, 5)))
		})
	}
	add("Embed/halves", 0, func(k *kit, b *graph.Builder) {
		k.out(b, "y", b.Embed(k.ids(b, "ids", 29, 5), k.weightAs("table", weights.F16, 29, 19)))
	})
	add("ArgMax/ties", 0, func(k *kit, b *graph.Builder) { // the first of equal ones
		k.out(b, "y", b.ArgMax(b.Activate(k.in(b, "x", 4, 67), ref.ReLU)))
		k.out(b, "zeros", b.ArgMax(b.Scale(k.in(b, "z", 3, 40), 0)))
	})
	add("ArgMax/as ids", 0, func(k *kit, b *graph.Builder) {
		k.out(b, "y", b.Embed(b.ArgMax(k.in(b, "x", 4, 29)), k.weight("table", 29, 11)))
	})
	for _, s := range [][3]int{{3, 1, 1}, {3, 7, 7}, {1, 67, 1}, {5, 257, 10}, {2, 1023, 300}, {3, 1025, 1024}, {1, 5003, 1024}, {1, 9973, 10}, {13, 1100, 4}} {
		rows, c, top := s[0], s[1], s[2]
		add(fmt.Sprintf("TopK/%d of %dx%d", top, rows, c), 0, func(k *kit, b *graph.Builder) {
			x := k.in(b, "x", rows, c)
			y := b.TopK(x, top)
			k.out(b, "y", y)
			k.out(b, "elements", b.Gather(b.Reshape(x, k.n*rows, c, 1), b.Reshape(y, k.n*rows, top)))
			k.out(b, "ties", b.TopK(k.few(b, "few", 0, rows, c), top))
			k.out(b, "zeros", b.TopK(b.Scale(x, 0), top))
			k.out(b, "NaN", b.TopK(k.few(b, "nan", 3, rows, c), top))
			k.out(b, "mostly NaN", b.TopK(k.few(b, "nans", 90, rows, c), top))
			if c > 20 {
				y := b.Concat(2, k.few(b, "first", 30, rows, 20), k.in(b, "z", rows, c-20))
				k.out(b, "NaN first", b.TopK(y, top))
			}
		})
	}
	add("TopK/of products", products, func(k *kit, b *graph.Builder) {
		x := b.Linear(k.in(b, "x", 16), k.weight("w", 1500, 16), graph.LinearOpts{})
		k.out(b, "y", b.Gather(b.Reshape(x, k.n, 1500, 1), b.TopK(x, 10)))
	})
	return all
}

func shapeCases() []testCase {
	var all []testCase
	add := func(name string, record func(k *kit, b *graph.Builder)) {
		all = append(all, testCase{name: name, record: record})
	}
	for _, c := range []int{1, 3, 16, 33} {
		add(fmt.Sprintf("Concat/%d", c), func(k *kit, b *graph.Builder) {
			x, y, z := k.in(b, "x", 3, c), k.in(b, "y", 5, c), k.in(b, "z", 3, 7)
			k.out(b, "rows", b.Concat(1, x, y, x))
			k.out(b, "columns", b.Concat(-1, x, z))
			k.out(b, "one", b.Concat(2, x))
			k.out(b, "none", b.Concat(1, x, b.Slice(y, 1, 2, 2)))
		})
		add(fmt.Sprintf("Slice/%d", c), func(k *kit, b *graph.Builder) {
			x := k.in(b, "x", 5, c, 3)
			k.out(b, "rows", b.Slice(x, 1, 1, 4))
			k.out(b, "middle", b.Slice(x, 2, c/2, c))
			k.out(b, "last", b.Slice(x, -1, 2, 3))
			k.out(b, "whole", b.Slice(x, 1, 0, 5))
		})
		add(fmt.Sprintf("Permute/%d", c), func(k *kit, b *graph.Builder) {
			x := k.in(b, "x", 5, c, 3)
			k.out(b, "swap", b.Permute(x, 0, 2, 1, 3))
			k.out(b, "turn", b.Permute(x, 0, 3, 1, 2))
			k.out(b, "back", b.Permute(x, 0, 2, 3, 1))
			k.out(b, "same", b.Permute(x, 0, 1, 2, 3))
			k.out(b, "three", b.Permute(b.Reshape(x, k.n, 5*c, 3), 0, 2, 1))
		})
	}
	add("Integers", func(k *kit, b *graph.Builder) {
		x, y := k.ids(b, "x", 1<<30, 6), k.ids(b, "y", 1<<30, 3)
		k.out(b, "y0", b.Slice(b.Concat(1, x, y), 1, 2, 8))
		k.out(b, "y1", b.Permute(b.Reshape(x, k.n, 2, 3), 0, 2, 1))
	})
	all = append(all, testCase{name: "Repeat", alone: true, record: func(k *kit, b *graph.Builder) {
		k.out(b, "weight", b.RepeatParam(k.weight("w", 3, 7), 4))
		k.out(b, "value", b.Repeat(k.in(b, "x", 19), 3))
		k.out(b, "const", b.Repeat(b.Const(uniform(stream("const"), 5), 5), 2))
	}})
	return all
}
