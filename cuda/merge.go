//go:build cuda && linux

package cuda

import (
	"slices"

	"syntic/tensor/graph"
)

// gatedOp is a Linear with the GEGLU that follows: N is the result's width, the
// weight has 2N rows.
type gatedOp struct{ graph.LinearOp }

// topOp is a Linear with the ArgMax that follows.
type topOp struct{ graph.LinearOp }

// joinedConv is a convolution on tensor cores with its neighbours. In: those of a
// ConvOp, but no statistics; one value per picture and channel, added before the
// activation, or nil; the value whose channels follow x's, or nil.
type joinedConv struct {
	graph.ConvOp
	c2   int                     // channels of the second value
	up   bool                    // x is doubled by nearest neighbour first; H and W are before that
	norm *graph.GroupNormStatsOp // x is normalised by it first; nil for not
	w, b *graph.Node             // the norm's
}

// The operands of a joinedConv beyond a ConvOp's.
const (
	inEach = 5 + iota
	inSecond
	joinedInputs
)

// merge joins what tensor-core kernels do in one go and the graph keeps apart: a
// GEGLU or an arg-max with the product before it; convolutions with the norm of their input, the
// joining of two values' channels, the doubling of a picture and a value per picture
// added to their result. What is joined must have no other reader.
func (d *Device) merge(ops []*graph.Op) []*graph.Op {
	m := merger{dev: d, ops: ops, at: map[*graph.Op]int{}, readers: map[*graph.Node][]*graph.Op{}}
	for i, op := range ops {
		m.at[op] = i
		for _, n := range op.In {
			if n != nil {
				m.readers[n.Root()] = append(m.readers[n.Root()], op)
			}
		}
	}
	for _, op := range slices.Clone(ops) {
		switch a := op.Attr.(type) {
		case *graph.ConvOp:
			m.convolve(op, a)
		case *graph.GEGLUOp:
			m.gate(op, a)
		case *graph.ArgMaxOp:
			m.top(op)
		case *graph.BinaryOp:
			m.addEach(op, a)
		}
	}
	for _, op := range ops {
		if op == nil {
			continue
		}
		if a, ok := op.Attr.(*graph.ConcatOp); ok {
			m.join(op, a)
		}
	}
	return slices.DeleteFunc(ops, func(op *graph.Op) bool { return op == nil })
}

type merger struct {
	dev     *Device
	ops     []*graph.Op // nil where one has gone
	at      map[*graph.Op]int
	readers map[*graph.Node][]*graph.Op
}

// single returns the operation that makes n when only one reads it.
func (m *merger) single(n *graph.Node) *graph.Op {
	if n == nil || n.Viewed() || n.Kept() || n.Role != graph.Temp || len(m.readers[n]) != 1 {
		return nil
	}
	return n.Op
}

// replace has prev make op's result; op goes.
func (m *merger) replace(op, prev *graph.Op) {
	prev.Out = op.Out
	prev.Out.Op = prev
	m.ops[m.at[op]] = nil
}

func (m *merger) gate(op *graph.Op, a *graph.GEGLUOp) {
	prev := m.single(op.In[0])
	if prev == nil {
		return
	}
	if l, ok := prev.Attr.(*graph.LinearOp); ok && l.Act == 0 && prev.In[3] == nil && m.dev.suitsProduct(l.K) {
		gated := &gatedOp{*l}
		gated.N = a.C
		prev.Attr = gated
		m.replace(op, prev)
	}
}

func (m *merger) top(op *graph.Op) {
	prev := m.single(op.In[0].Root()) // rows of other views are the same
	if prev == nil {
		return
	}
	if l, ok := prev.Attr.(*graph.LinearOp); ok && l.Act == 0 && l.N == op.In[0].Shape.Last() && prev.In[3] == nil && m.dev.suitsProduct(l.K) {
		prev.Attr = &topOp{*l}
		m.replace(op, prev)
	}
}

func (m *merger) addEach(op *graph.Op, a *graph.BinaryOp) {
	prev := m.single(op.In[0])
	if prev == nil {
		return
	}
	c, ok := prev.Attr.(*joinedConv)
	y := op.In[1]
	if !ok || c.Act != 0 || prev.In[inEach] != nil || a.Arith != graph.Add || y.Role != graph.Temp && y.Role != graph.Input ||
		a.Batch != c.N || a.M != c.OutH*c.OutW || a.N != c.O {
		return
	}
	prev.In[inEach] = y
	place := m.at[op] // what is added may be made after the convolution's old place
	m.replace(op, prev)
	m.ops[m.at[prev]], m.ops[place] = nil, prev
	m.at[prev] = place
}

// convolve makes a joinedConv of a convolution, with the norm and the doubling before
// it.
func (m *merger) convolve(op *graph.Op, a *graph.ConvOp) {
	if !m.dev.suitsConv(a) || op.In[4] != nil && !aligned(a.C) {
		return
	}
	c := &joinedConv{ConvOp: *a}
	if op.In[4] != nil {
		stats := m.single(op.In[4])
		if stats == nil {
			return
		}
		norm, ok := stats.Attr.(*graph.GroupNormStatsOp)
		if !ok || !m.dev.suitsGroupNorm(norm.C, norm.Groups) {
			return
		}
		c.norm, c.w, c.b = norm, stats.In[1], stats.In[2]
		op.In[4] = nil
		m.ops[m.at[stats]] = nil
		x := op.In[0].Root()
		i := slices.Index(m.readers[x], stats)
		m.readers[x] = slices.Delete(m.readers[x], i, i+1)
	}
	op.Attr, op.In = c, append(op.In, make([]*graph.Node, joinedInputs-len(op.In))...)
	m.double(op, c)
}

func (m *merger) double(op *graph.Op, c *joinedConv) {
	prev := m.single(op.In[0])
	if prev == nil || c.norm != nil || !aligned(c.C) || m.dev.byTaps(c) {
		return
	}
	if u, ok := prev.Attr.(*graph.UpsampleOp); ok && u.OutH == 2*u.H && u.OutW == 2*u.W {
		c.H, c.W, c.up = u.H, u.W, true
		op.In[0] = prev.In[0]
		m.ops[m.at[prev]] = nil
	}
}

// join spares the writing of two values' joined channels where all that read them
// are convolutions which read both.
func (m *merger) join(op *graph.Op, a *graph.ConcatOp) {
	if len(a.Inner) != 2 || op.Out.Kept() || op.Out.Viewed() || !aligned(a.Inner...) {
		return
	}
	for _, r := range m.readers[op.Out] {
		c, ok := r.Attr.(*joinedConv)
		if !ok || r.In[0] != op.Out || c.C != a.Inner[0]+a.Inner[1] || r.In[3] == op.Out || c.up {
			return
		}
	}
	for _, r := range m.readers[op.Out] {
		c := r.Attr.(*joinedConv)
		c.c2 = a.Inner[1]
		r.In[0], r.In[inSecond] = op.In[0], op.In[1]
	}
	m.ops[m.at[op]] = nil
}
