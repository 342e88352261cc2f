//go:build cuda && linux

package cuda

import (
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// copyRows appends the copy of outer rows of inner elements, sy and sx apart.
func (m *memory) copyRows(y, x cu.DevicePtr, outer, inner, sy, sx int) {
	m.each("copy_rows", outer*inner, new(cux.Args).Ptr(y, x).Int(inner, sy, sx))
}

func (d *Device) concat(op *graph.Op, a *graph.ConcatOp) (graph.Step, error) {
	return launches(func(m *memory) {
		total, at := 0, 0
		for _, n := range a.Inner {
			total += n
		}
		for i, n := range a.Inner {
			m.copyRows(offset(m.at(op.Out), at), m.at(op.In[i]), a.Outer, n, total, n)
			at += n
		}
	}), nil
}

func (d *Device) slice(op *graph.Op, a *graph.SliceOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.copyRows(m.at(op.Out), offset(m.at(op.In[0]), a.Offset), a.Outer, a.Inner, a.Inner, a.Stride)
	}), nil
}

func (d *Device) repeat(op *graph.Op, a *graph.RepeatOp) (graph.Step, error) {
	weight := operand(op.In[0])
	return launches(func(m *memory) {
		x := weight.ptr()
		if x == 0 {
			x = m.at(op.In[0])
		}
		m.copyRows(m.at(op.Out), x, a.Times, a.N, a.N, 0)
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
		m.each("permute", n, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0])).Int(size[1:]...).Int(stride[:]...))
	}), nil
}
