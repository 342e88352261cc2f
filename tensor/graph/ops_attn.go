package graph

import "syntic/tensor"

// AttentionOp is softmax(Scale·Q·Kᵀ + masks)·V for every head.
//
// Q, K and V are columns of their values' rows: head h of Q starts at column
// QOff+h·D of a row of the first input, and so on; so one packed projection
// serves all three. In: q, k, v, mask (F32 [B,LK], 1 keep and 0 drop, or nil),
// used (I32 [1], the number of keys in use, or nil for all).
type AttentionOp struct {
	B, LQ, LK, Heads, D       int
	QOff, KOff, VOff          int
	StrideQ, StrideK, StrideV int // floats from one token to the next
	Scale                     float32
	Causal                    bool // query i sees keys up to i + used - LQ
}

// Kind implements Attr.
func (*AttentionOp) Kind() string { return "Attention" }

// AttentionOpts are Attention's parameters beyond its three values.
type AttentionOpts struct {
	Heads, D         int     // D is the size of one head
	QOff, KOff, VOff int     // first column of q, k and v in their rows
	Scale            float32 // 0 means 1/√D
	Causal           bool
	Mask             Value // [B,LK]: 1 keep, 0 drop; a query that sees no key gives zeros
	Used             Value // I32 [1]: how many keys are in use; absent means all
}

// Attention returns the multi-head attention of q over k and v. Shapes: q
// [B,LQ,·], k and v [B,LK,·], the result [B,LQ,Heads·D].
func (b *Builder) Attention(q, k, v Value, o AttentionOpts) Value {
	for _, t := range []struct {
		v   Value
		off int
	}{{q, o.QOff}, {k, o.KOff}, {v, o.VOff}} {
		if len(t.v.Shape()) != 3 || t.off+o.Heads*o.D > t.v.Dim(2) {
			fail("", "Attention", "heads don't fit the projection", t.v.Shape(), tensor.Shape{o.Heads, o.D})
		}
	}
	if q.Dim(0) != k.Dim(0) || k.Dim(0) != v.Dim(0) || k.Dim(1) != v.Dim(1) {
		fail("", "Attention", "queries and keys don't fit", q.Shape(), k.Shape())
	}
	if o.Mask.Defined() && !o.Mask.Shape().Equal(tensor.Shape{k.Dim(0), k.Dim(1)}) {
		fail("", "Attention", "mask and keys don't fit", o.Mask.Shape(), k.Shape())
	}
	a := &AttentionOp{
		B: q.Dim(0), LQ: q.Dim(1), LK: k.Dim(1), Heads: o.Heads, D: o.D,
		QOff: o.QOff, KOff: o.KOff, VOff: o.VOff,
		StrideQ: q.Dim(2), StrideK: k.Dim(2), StrideV: v.Dim(2),
		Scale: o.Scale, Causal: o.Causal,
	}
	return b.emit(a, F32, tensor.Shape{a.B, a.LQ, a.Heads * a.D}, q.n, k.n, v.n, o.Mask.n, o.Used.n)
}

// CacheWriteOp copies columns [Off, Off+D) of x [B,T,Stride] into state [B,L,D]
// from row at on, for every b.
// In: state, x, at (I32 [1]). The result is another name for the state.
type CacheWriteOp struct{ B, T, L, D, Off, Stride int }

// Kind implements Attr.
func (*CacheWriteOp) Kind() string { return "CacheWrite" }

// CacheWrite stores columns [off, off+D) of x's T rows into the state [B,L,D] at
// row at and returns the state. at+T must not pass L: an error at run time.
func (b *Builder) CacheWrite(s *State, x Value, off int, at Value) Value {
	st := b.State(s)
	if len(st.Shape()) != 3 || len(x.Shape()) != 3 || x.Dim(0) != st.Dim(0) || x.Dim(1) > st.Dim(1) || off+st.Dim(2) > x.Dim(2) {
		fail(s.Name, "CacheWrite", "value and state don't fit", x.Shape(), st.Shape())
	}
	a := &CacheWriteOp{B: x.Dim(0), T: x.Dim(1), L: st.Dim(1), D: st.Dim(2), Off: off, Stride: x.Dim(2)}
	v := b.emit(a, F32, st.Shape(), st.n, x.n, at.n)
	v.n.alias = st.n
	return v
}

// CacheSelectOp replaces state[b] by the former state[from[b]], for the first
// Used rows of every b: what a beam search does when beams branch.
// In: state, from (I32 [B]), used (I32 [1]). The result is another name for the
// state.
type CacheSelectOp struct{ B, L, D int }

// Kind implements Attr.
func (*CacheSelectOp) Kind() string { return "CacheSelect" }

// CacheSelect reorders the state's first dimension and returns the state.
func (b *Builder) CacheSelect(s *State, from, used Value) Value {
	st := b.State(s)
	if len(st.Shape()) != 3 || !from.Shape().Equal(tensor.Shape{st.Dim(0)}) {
		fail(s.Name, "CacheSelect", "indices and state don't fit", from.Shape(), st.Shape())
	}
	v := b.emit(&CacheSelectOp{B: st.Dim(0), L: st.Dim(1), D: st.Dim(2)}, F32, st.Shape(), st.n, from.n, used.n)
	v.n.alias = st.n
	return v
}
