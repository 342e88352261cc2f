package graph

import (
	"syntic/kernels/ref"
	"syntic/tensor"
)

// Act names an activation function.
type Act = ref.Act

// Layout says how a matrix operand is stored.
type Layout uint8

const (
	// NK is [N,K]: one row per output, as nn.Linear stores its weight.
	NK Layout = iota
	// KN is [K,N]: one row per input, as GPT-2's Conv1D stores its weight.
	KN
)

// LinearOp is Out[M,N] = Act(X[M,K]·W + Bias + Residual).
// In: x, w (Weight), bias (Weight or nil), residual (or nil).
type LinearOp struct {
	M, K, N int
	Layout  Layout
	Act     Act
}

// Kind implements Attr.
func (*LinearOp) Kind() string { return "Linear" }

// LinearOpts are Linear's optional parts.
type LinearOpts struct {
	Bias     *Param // [N]
	Residual Value  // added before the activation; the output's shape
	Act      Act
	Layout   Layout
}

// Linear returns act(x·wᵀ + bias + residual). Shapes: x [...,K]; w [N,K], or
// [K,N] with Layout KN; the result [...,N].
func (b *Builder) Linear(x Value, w *Param, o LinearOpts) Value {
	if len(w.Shape) != 2 {
		fail(w.Label(), "Linear", "the weight must have two dimensions", w.Shape)
	}
	n, k := w.Shape[0], w.Shape[1]
	if o.Layout == KN {
		n, k = k, n
	}
	if len(x.Shape()) == 0 || x.Shape().Last() != k {
		fail(w.Label(), "Linear", "input and weight don't fit", x.Shape(), w.Shape)
	}
	if o.Bias != nil && !o.Bias.Shape.Equal(tensor.Shape{n}) {
		fail(o.Bias.Label(), "Linear", "the bias must have one value per output", o.Bias.Shape, w.Shape)
	}
	shape := x.Shape().Clone()
	shape[len(shape)-1] = n
	if o.Residual.Defined() && !o.Residual.Shape().Equal(shape) {
		fail(w.Label(), "Linear", "residual and result don't fit", o.Residual.Shape(), shape)
	}
	a := &LinearOp{M: x.Shape().Rows(), K: k, N: n, Layout: o.Layout, Act: o.Act}
	return b.emit(a, F32, shape, x.n, b.param(w), b.param(o.Bias), o.Residual.n)
}

// MatMulOp is Out[b] = Scale·A[b]·B[b] for every b of the leading dimensions.
// In: a, b (both activations).
type MatMulOp struct {
	Batch, M, K, N int
	Layout         Layout // of B
	Scale          float32
}

// Kind implements Attr.
func (*MatMulOp) Kind() string { return "MatMul" }

// MatMul returns scale·a·b over two activations. Shapes: a [...,M,K]; b
// [...,N,K] with layout NK or [...,K,N] with KN, and the same leading dimensions.
func (b *Builder) MatMul(x, y Value, layout Layout, scale float32) Value {
	xs, ys := x.Shape(), y.Shape()
	if len(xs) < 2 || len(ys) != len(xs) || !xs[:len(xs)-2].Equal(ys[:len(ys)-2]) {
		fail("", "MatMul", "operands don't fit", xs, ys)
	}
	n, k := y.Dim(-2), y.Dim(-1)
	if layout == KN {
		n, k = k, n
	}
	if x.Dim(-1) != k {
		fail("", "MatMul", "inner dimensions differ", xs, ys)
	}
	shape := xs.Clone()
	shape[len(shape)-1] = n
	a := &MatMulOp{Batch: xs[:len(xs)-2].Elems(), M: x.Dim(-2), K: k, N: n, Layout: layout, Scale: scale}
	return b.emit(a, F32, shape, x.n, y.n)
}
