package graph

import "syntic/tensor"

// Reshape returns x's memory under another shape of as many elements; one
// dimension may be -1. It costs nothing at run time.
func (b *Builder) Reshape(x Value, shape ...int) Value {
	s := tensor.Shape(shape).Clone()
	known, free := 1, -1
	for i, d := range s {
		if d == -1 && free < 0 {
			free = i
			continue
		}
		known *= d
	}
	if free >= 0 && known > 0 {
		s[free] = x.Shape().Elems() / known
	}
	if s.Elems() != x.Shape().Elems() {
		fail("", "Reshape", "the number of elements differs", x.Shape(), shape)
	}
	return b.view(x, s)
}

// ConcatOp joins arrays of Outer × Inner[i] elements along the middle.
// In: the arrays.
type ConcatOp struct {
	Outer int
	Inner []int // contiguous elements of each input per outer index
}

// Kind implements Attr.
func (*ConcatOp) Kind() string { return "Concat" }

// Concat joins the values along the axis; a negative axis counts from the last.
func (b *Builder) Concat(axis int, xs ...Value) Value {
	shape := xs[0].Shape().Clone()
	if axis < 0 {
		axis += len(shape)
	}
	a := &ConcatOp{Outer: shape[:axis].Elems()}
	in := make([]*Node, len(xs))
	shape[axis] = 0
	for i, x := range xs {
		s := x.Shape()
		if len(s) != len(shape) || !s[:axis].Equal(shape[:axis]) || !s[axis+1:].Equal(shape[axis+1:]) || x.n.Type != xs[0].n.Type {
			fail("", "Concat", "operands don't fit", xs[0].Shape(), s)
		}
		shape[axis] += s[axis]
		a.Inner = append(a.Inner, s[axis:].Elems())
		in[i] = x.n
	}
	return b.emit(a, xs[0].n.Type, shape, in...)
}

// SliceOp copies Inner elements from Offset of every Stride. In: x.
type SliceOp struct{ Outer, Stride, Offset, Inner int }

// Kind implements Attr.
func (*SliceOp) Kind() string { return "Slice" }

// Slice returns x's indices [lo, hi) of the axis.
func (b *Builder) Slice(x Value, axis, lo, hi int) Value {
	shape := x.Shape().Clone()
	if axis < 0 {
		axis += len(shape)
	}
	if lo < 0 || hi > shape[axis] || lo > hi {
		fail("", "Slice", "outside the value", shape, tensor.Shape{axis, lo, hi})
	}
	tail := shape[axis+1:].Elems()
	a := &SliceOp{Outer: shape[:axis].Elems(), Stride: shape[axis] * tail, Offset: lo * tail, Inner: (hi - lo) * tail}
	shape[axis] = hi - lo
	return b.emit(a, x.n.Type, shape, x.n)
}

// RepeatOp is Out = x, Times times in a row. In: x (an activation, Const or
// Weight).
type RepeatOp struct{ Times, N int }

// Kind implements Attr.
func (*RepeatOp) Kind() string { return "Repeat" }

// Repeat returns a new leading dimension of n copies of x.
func (b *Builder) Repeat(x Value, n int) Value { return b.repeat(x.n, n) }

// RepeatParam returns a new leading dimension of n copies of the weight.
func (b *Builder) RepeatParam(p *Param, n int) Value { return b.repeat(b.param(p), n) }

func (b *Builder) repeat(x *Node, n int) Value {
	return b.emit(&RepeatOp{Times: n, N: x.Shape.Elems()}, F32, append(tensor.Shape{n}, x.Shape...), x)
}

// PermuteOp reorders four dimensions: Out[i] = x along axes Perm. In: x.
type PermuteOp struct {
	Dims [4]int // of x, padded with leading ones
	Perm [4]int
}

// Kind implements Attr.
func (*PermuteOp) Kind() string { return "Permute" }

// Permute returns x with its dimensions reordered: result dimension i is x's
// dimension perm[i]. At most four dimensions.
func (b *Builder) Permute(x Value, perm ...int) Value {
	s := x.Shape()
	if len(perm) != len(s) || len(s) > 4 {
		fail("", "Permute", "one axis per dimension, at most four", s, perm)
	}
	lead := 4 - len(s)
	a := &PermuteOp{Dims: [4]int{1, 1, 1, 1}, Perm: [4]int{0, 1, 2, 3}}
	shape := make(tensor.Shape, len(s))
	seen := make([]bool, len(s))
	for i, p := range perm {
		if p < 0 || p >= len(s) || seen[p] {
			fail("", "Permute", "not a permutation", s, perm)
		}
		seen[p] = true
		shape[i] = s[p]
		a.Dims[lead+i] = s[i]
		a.Perm[lead+i] = lead + p
	}
	return b.emit(a, x.n.Type, shape, x.n)
}
