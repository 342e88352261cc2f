//go:build cuda && linux

package cuda

import (
	"slices"

	"syntic/tensor/graph"
)

// gatedOp is a Linear with the GEGLU that follows: N is the result's width, the
// weight has 2N rows.
type gatedOp struct{ graph.LinearOp }

// merge joins what tensor-core kernels do in one go and the graph keeps apart: a
// GEGLU with the product before it, a value per picture added to a convolution's
// result, a picture doubled before a convolution. What is joined must have no other
// reader.
func (d *Device) merge(ops []*graph.Op) []*graph.Op {
	reads := map[*graph.Node]int{}
	at := map[*graph.Op]int{}
	for i, op := range ops {
		at[op] = i
		for _, n := range op.In {
			if n != nil {
				reads[n.Root()]++
			}
		}
	}
	single := func(n *graph.Node) *graph.Op {
		if n.Viewed() || n.Kept() || n.Role != graph.Temp || reads[n] != 1 {
			return nil
		}
		return n.Op
	}
	for i, op := range ops {
		if op == nil {
			continue
		}
		prev := single(op.In[0])
		if prev == nil {
			continue
		}
		switch a := op.Attr.(type) {
		case *graph.GEGLUOp:
			if l, ok := prev.Attr.(*graph.LinearOp); ok && l.Act == 0 && prev.In[3] == nil && d.suitsProduct(l.K) {
				gated := &gatedOp{*l}
				gated.N = a.C
				prev.Attr = gated
				take(prev, op)
				ops[i] = nil
			}
		case *graph.BinaryOp:
			if c, ok := prev.Attr.(*graph.ConvOp); ok && d.suitsConv(c) && c.Act == 0 && perPicture(op, a, c) {
				prev.Attr, prev.In = &joinedConv{ConvOp: *c}, append(prev.In, op.In[1])
				take(prev, op)
				ops[at[prev]], ops[i], at[prev] = nil, prev, i // what is added may be made after the convolution's old place
			}
		case *graph.ConvOp:
			u, ok := prev.Attr.(*graph.UpsampleOp)
			if ok && d.suitsConv(a) && op.In[4] == nil && u.OutH == 2*u.H && u.OutW == 2*u.W && !d.tapsOnHopper(a) {
				joined := &joinedConv{ConvOp: *a, up: true}
				joined.H, joined.W = u.H, u.W
				op.Attr, op.In[0] = joined, prev.In[0]
				ops[at[prev]] = nil
			}
		}
	}
	return slices.DeleteFunc(ops, func(op *graph.Op) bool { return op == nil })
}

// take lets prev make op's result.
func take(prev, op *graph.Op) {
	prev.Out = op.Out
	prev.Out.Op = prev
}

// perPicture reports whether a sum adds one row of channels to each picture of a
// convolution's result.
func perPicture(op *graph.Op, a *graph.BinaryOp, c *graph.ConvOp) bool {
	n := op.In[1].Role
	return a.Arith == graph.Add && (n == graph.Temp || n == graph.Input) && a.Batch == c.N && a.M == c.OutH*c.OutW && a.N == c.O
}
