package graph

import (
	"fmt"

	"syntic/tensor"
)

// UnaryOp is Out = Act(Scale·x). In: x.
type UnaryOp struct {
	Act   Act
	Scale float32
}

// Kind implements Attr.
func (a *UnaryOp) Kind() string { return "Unary " + a.Act.String() }

// Activate returns act(x).
func (b *Builder) Activate(x Value, act Act) Value {
	return b.emit(&UnaryOp{Act: act, Scale: 1}, F32, x.Shape(), x.n)
}

// Scale returns s·x.
func (b *Builder) Scale(x Value, s float32) Value {
	return b.emit(&UnaryOp{Scale: s}, F32, x.Shape(), x.n)
}

// Arith names a binary operation.
type Arith uint8

// The binary operations.
const (
	Add Arith = iota
	Mul
)

// BinaryOp is Out = x op y for every one of Batch parts of x and y, y's part
// repeated over x's.
// In: x, y (an activation, Const or Weight).
type BinaryOp struct {
	Arith Arith
	Batch int // parts
	M, N  int // a part of x is M repetitions of y's N elements
}

// Kind implements Attr.
func (a *BinaryOp) Kind() string { return [...]string{"Add", "Mul"}[a.Arith] }

// Add returns x + y; y's shape is x's or its innermost dimensions.
func (b *Builder) Add(x, y Value) Value { return b.binary(Add, x, y.n) }

// Mul returns x·y; y's shape is x's or its innermost dimensions.
func (b *Builder) Mul(x, y Value) Value { return b.binary(Mul, x, y.n) }

// AddParam returns x + p, such as a learned position embedding; p's shape is
// x's innermost dimensions.
func (b *Builder) AddParam(x Value, p *Param) Value { return b.binary(Add, x, b.param(p)) }

// AddEach returns x + y where every batch item has its own y, repeated over the
// item's rows, such as a value per channel of each picture. Shapes: x [N,...,C],
// y [N,C].
func (b *Builder) AddEach(x, y Value) Value {
	s := x.Shape()
	if len(s) < 2 || !y.Shape().Equal(tensor.Shape{s[0], s.Last()}) {
		fail("", "AddEach", "operands don't fit", s, y.Shape())
	}
	a := &BinaryOp{Arith: Add, Batch: s[0], M: s[1 : len(s)-1].Elems(), N: s.Last()}
	return b.emit(a, F32, s, x.n, y.n)
}

func (b *Builder) binary(op Arith, x Value, y *Node) Value {
	a := &BinaryOp{Arith: op, Batch: 1}
	if !x.Shape().HasSuffix(y.Shape) || y.Shape.Elems() == 0 {
		fail(y.Name, a.Kind(), "operands don't fit", x.Shape(), y.Shape)
	}
	a.N = y.Shape.Elems()
	a.M = x.Shape().Elems() / a.N
	return b.emit(a, F32, x.Shape(), x.n, y)
}

// GEGLUOp is Out[M,C] = x[M,:C]·GELU(x[M,C:]). In: x [M,2C].
// Source: diffusers models/activations.py, GEGLU.
type GEGLUOp struct{ M, C int }

// Kind implements Attr.
func (*GEGLUOp) Kind() string { return "GEGLU" }

// GEGLU returns the first half of each row times the GELU of the second.
func (b *Builder) GEGLU(x Value) Value {
	c := x.Shape().Last()
	if c%2 != 0 {
		fail("", "GEGLU", "the last dimension must be even", x.Shape())
	}
	shape := x.Shape().Clone()
	shape[len(shape)-1] = c / 2
	return b.emit(&GEGLUOp{M: x.Shape().Rows(), C: c / 2}, F32, shape, x.n)
}

// EmbedOp is Out[i] = table[ids[i]]. In: ids (I32), table (Weight [V,C]).
type EmbedOp struct{ N, V, C int }

// Kind implements Attr.
func (*EmbedOp) Kind() string { return "Embed" }

// Embed returns the table's rows for the ids. Shapes: ids [...], table [V,C],
// the result [...,C]. An id outside [0,V) gives an error at run time.
func (b *Builder) Embed(ids Value, table *Param) Value {
	if ids.n.Type != I32 || len(table.Shape) != 2 {
		fail(table.Label(), "Embed", "ids must be integers and the table have two dimensions", ids.Shape(), table.Shape)
	}
	a := &EmbedOp{N: ids.Shape().Elems(), V: table.Shape[0], C: table.Shape[1]}
	return b.emit(a, F32, append(ids.Shape().Clone(), a.C), ids.n, b.param(table))
}

// GatherOp picks K rows of each batch item: Out[b,k] = x[b, index[b,k]].
// In: x [B,T,C], index (I32 [B,K]).
type GatherOp struct{ B, K, T, C int }

// Kind implements Attr.
func (*GatherOp) Kind() string { return "Gather" }

// Gather returns row index[b] of each x[b], or several. Shapes: x [B,T,C], index
// [B] or [B,K], the result [B,C] or [B,K,C]. An index outside [0,T) gives an error
// at run time.
func (b *Builder) Gather(x, index Value) Value {
	s := index.Shape()
	if len(x.Shape()) != 3 || index.n.Type != I32 || len(s) < 1 || len(s) > 2 || s[0] != x.Dim(0) {
		fail("", "Gather", "rows and indices don't fit", x.Shape(), s)
	}
	a := &GatherOp{B: x.Dim(0), K: s[1:].Elems(), T: x.Dim(1), C: x.Dim(2)}
	return b.emit(a, F32, append(s.Clone(), a.C), x.n, index.n)
}

// ArgMaxOp is the index of the largest element of each row of [M,C], the first
// of equal ones. In: x. The result is I32 [M].
type ArgMaxOp struct{ M, C int }

// Kind implements Attr.
func (*ArgMaxOp) Kind() string { return "ArgMax" }

// ArgMax returns the index of the largest element over the last dimension.
func (b *Builder) ArgMax(x Value) Value {
	s := x.Shape()
	return b.emit(&ArgMaxOp{M: s.Rows(), C: s.Last()}, I32, s[:len(s)-1], x.n)
}

// MaxTopK bounds how many TopK finds in a row.
const MaxTopK = 1024

// TopKOp is the indices of the K largest elements of each row of [M,C]. In: x. The
// result is I32 [M,K].
type TopKOp struct{ M, C, K int }

// Kind implements Attr.
func (*TopKOp) Kind() string { return "TopK" }

// TopK returns the indices of the k largest elements over the last dimension, the
// largest first, the lower index first among equals. A NaN is neither larger nor
// smaller than anything: among the first k elements of a row it keeps its place, so
// that those before it are sorted by themselves and stay before it; a later one is
// left out. Shapes: x [...,C], the result [...,k], 1 ≤ k ≤ min(C, MaxTopK). Gather
// of x [M,C,1] has the elements.
func (b *Builder) TopK(x Value, k int) Value {
	s := x.Shape().Clone()
	a := &TopKOp{M: s.Rows(), C: s.Last(), K: k}
	if k < 1 || k > min(a.C, MaxTopK) {
		fail("", "TopK", fmt.Sprintf("%d of %d elements are asked for; 1 to %d are possible", k, a.C, min(a.C, MaxTopK)), s)
	}
	s[len(s)-1] = k
	return b.emit(a, I32, s, x.n)
}
