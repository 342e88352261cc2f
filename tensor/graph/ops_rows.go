package graph

import "syntic/tensor"

// RowDotsOp is Out[B,M] = X[B,D]·Rowsᵀ over a weight of very many rows, read
// where it lies. In: x, rows (Weight [M,D]).
type RowDotsOp struct{ B, M, D int }

// Kind implements Attr.
func (*RowDotsOp) Kind() string { return "RowDots" }

// RowDots returns the dot products of each x with every row of a large table,
// which the device need not pack: a support memory may have millions of rows
// and lie in a mapped file of half-precision numbers. Shapes: x [B,D], rows
// [M,D], the result [B,M].
func (b *Builder) RowDots(x Value, rows *Param) Value {
	if len(x.Shape()) != 2 || len(rows.Shape) != 2 || x.Dim(1) != rows.Shape[1] {
		fail(rows.Label(), "RowDots", "input and rows don't fit", x.Shape(), rows.Shape)
	}
	a := &RowDotsOp{B: x.Dim(0), M: rows.Shape[0], D: rows.Shape[1]}
	return b.emit(a, F32, tensor.Shape{a.B, a.M}, x.n, b.param(rows))
}

// RowSumOp is Out[B,D] = P[B,M]·Rows. In: p, rows (Weight [M,D]).
type RowSumOp struct{ B, M, D int }

// Kind implements Attr.
func (*RowSumOp) Kind() string { return "RowSum" }

// RowSum returns, for each row of p, the table's rows weighted by it. Shapes: p
// [B,M], rows [M,D], the result [B,D].
func (b *Builder) RowSum(p Value, rows *Param) Value {
	if len(p.Shape()) != 2 || len(rows.Shape) != 2 || p.Dim(1) != rows.Shape[0] {
		fail(rows.Label(), "RowSum", "weights and rows don't fit", p.Shape(), rows.Shape)
	}
	a := &RowSumOp{B: p.Dim(0), M: rows.Shape[0], D: rows.Shape[1]}
	return b.emit(a, F32, tensor.Shape{a.B, a.D}, p.n, b.param(rows))
}
