//go:build cuda && linux

package cuda

import (
	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// copyRows appends the copy of outer rows of inner elements, sy and sx apart. Rows of
// whole 16-byte words are copied as such.
func (m *memory) copyRows(y, x view, outer, inner, sy, sx int) {
	if per := 16 / y.size(); y.kind == x.kind && inner%per == 0 && sy%per == 0 && sx%per == 0 && (y.at|x.at)%16 == 0 {
		m.each("copy_words", outer*inner/per, new(cux.Args).Ptr(y.at, x.at).Int(inner/per, sy/per, sx/per))
		return
	}
	m.each("copy_rows", outer*inner, args(y, x).Int(inner, sy, sx))
}

func (d *Device) concat(op *graph.Op, a *graph.ConcatOp) (graph.Step, error) {
	return launches(func(m *memory) {
		total, at := 0, 0
		for _, n := range a.Inner {
			total += n
		}
		for i, n := range a.Inner {
			m.copyRows(m.view(op.Out).from(at), m.view(op.In[i]), a.Outer, n, total, n)
			at += n
		}
	}), nil
}

func (d *Device) slice(op *graph.Op, a *graph.SliceOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.copyRows(m.view(op.Out), m.view(op.In[0]).from(a.Offset), a.Outer, a.Inner, a.Inner, a.Stride)
	}), nil
}

func (d *Device) repeat(op *graph.Op, a *graph.RepeatOp) (graph.Step, error) {
	weight := operand(op.In[0])
	return launches(func(m *memory) {
		x := m.view(op.In[0])
		if weight != nil {
			x = view{at: weight.ptr()}
		}
		m.copyRows(m.view(op.Out), x, a.Times, a.N, a.N, 0)
	}, weight), nil
}

func (d *Device) permute(op *graph.Op, a *graph.PermuteOp) (graph.Step, error) {
	var strides, size, stride [4]int // of x; then both in the result's order
	n := 1
	for i := 3; i >= 0; i-- {
		strides[i] = n
		n *= a.Dims[i]
	}
	for i, p := range a.Perm {
		size[i], stride[i] = a.Dims[p], strides[p]
	}
	return launches(func(m *memory) {
		m.each("permute", n, args(m.view(op.Out), m.view(op.In[0])).Int(size[1:]...).Int(stride[:]...))
	}), nil
}
