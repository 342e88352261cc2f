package devtest

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// testCase is one small program. record is called once per program; all its
// inputs but numbers, and all its outputs, have the batch as first dimension.
type testCase struct {
	name   string
	tol    float64 // relative error; whole numbers must be equal
	steps  int     // runs that build on one another through a state; 0 means 1
	record func(k *kit, b *graph.Builder)
	// alone says that the items of a batch aren't independent.
	alone bool
}

// cases returns the table.
func cases() []testCase {
	var all []testCase
	for _, family := range []func() []testCase{linearCases, convCases, normCases, attentionCases, elemCases, shapeCases, fusionCases, solverCases, largeCases} {
		all = append(all, family()...)
	}
	return all
}

// acts are the activations.
var acts = []graph.Act{ref.None, ref.ReLU, ref.QuickGELU, ref.GELU, ref.GELUTanh, ref.SiLU, ref.Sigmoid, ref.Tanh}

// products is the tolerance of sums of up to some hundred float32 products.
const products = 1.5e-6

func linearCases() []testCase {
	var all []testCase
	shapes := [][3]int{{1, 1, 1}, {1, 7, 5}, {1, 300, 129}, {2, 16, 16}, {5, 33, 17}, {7, 64, 48}, {13, 100, 95}, {3, 130, 257}, {33, 65, 31}, {50, 48, 100}}
	for _, s := range shapes {
		for _, layout := range []graph.Layout{graph.NK, graph.KN} {
			for _, full := range []bool{false, true} {
				all = append(all, linearCase(s[0], s[1], s[2], layout, weights.F32, full, ref.GELU))
			}
		}
	}
	for _, act := range acts {
		all = append(all, linearCase(5, 33, 17, graph.NK, weights.F32, true, act))
	}
	for _, t := range []weights.DType{weights.F16, weights.BF16, weights.F64} {
		all = append(all, linearCase(3, 40, 37, graph.NK, t, true, ref.ReLU), linearCase(1, 41, 50, graph.KN, t, false, ref.None))
	}
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {5, 64, 33}, {17, 9, 40}} {
		for _, layout := range []graph.Layout{graph.NK, graph.KN} {
			all = append(all, testCase{name: fmt.Sprintf("MatMul/%s/%dx%dx%d", layoutName(layout), s[0], s[1], s[2]), tol: products, record: func(k *kit, b *graph.Builder) {
				y := tensor.Shape{3, s[2], s[1]}
				if layout == graph.KN {
					y[1], y[2] = y[2], y[1]
				}
				k.out(b, "y", b.MatMul(k.in(b, "x", 3, s[0], s[1]), k.in(b, "w", y...), layout, 0.7))
			}})
		}
	}
	for _, t := range []weights.DType{weights.F32, weights.F16, weights.BF16} {
		all = append(all, testCase{name: "Rows/" + t.String(), tol: products, record: func(k *kit, b *graph.Builder) {
			w := k.weightAs("rows", t, 133, 37)
			dots := b.RowDots(k.in(b, "x", 37), w)
			k.out(b, "dots", dots)
			k.out(b, "sum", b.RowSum(b.Softmax(dots, 5), w))
		}})
	}
	all = append(all, testCase{name: "Linear/stacked and cut", tol: products, record: func(k *kit, b *graph.Builder) {
		w, u := k.weight("w", 19, 24), k.weight("u", 30, 24)
		x := k.in(b, "x", 5, 24)
		k.out(b, "stack", b.Linear(x, k.derived("stack", func() *graph.Param { return graph.Stack(w, u) }), graph.LinearOpts{}))
		k.out(b, "rows", b.Linear(x, k.derived("rows", func() *graph.Param { return graph.Rows(u, 3, 20) }), graph.LinearOpts{Act: ref.ReLU}))
		k.out(b, "whole", b.Linear(x, u, graph.LinearOpts{}))
	}})
	return all
}

func layoutName(l graph.Layout) string { return [...]string{graph.NK: "NK", graph.KN: "KN"}[l] }

// linearCase is a Linear of m rows per batch item; full adds bias, residual and
// an activation.
func linearCase(m, k, n int, layout graph.Layout, t weights.DType, full bool, act graph.Act) testCase {
	name := fmt.Sprintf("Linear/%s/%v/%dx%dx%d", layoutName(layout), t, m, k, n)
	if full {
		name += "/bias+residual+" + act.String()
	}
	return testCase{name: name, tol: products, record: func(kit *kit, b *graph.Builder) {
		shape := []int{n, k}
		if layout == graph.KN {
			shape = []int{k, n}
		}
		o := graph.LinearOpts{Layout: layout}
		if full {
			o.Bias, o.Residual, o.Act = kit.weight("bias", n), kit.in(b, "residual", m, n), act
		}
		kit.out(b, "y", b.Linear(kit.in(b, "x", m, k), kit.weightAs("weight", t, shape...), o))
	}}
}
