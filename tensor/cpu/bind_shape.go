package cpu

import (
	"syntic/kernels/elem"
	"syntic/tensor/graph"
)

func (d *Device) concat(op *graph.Op, a *graph.ConcatOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, total := m.f32(op.Out), 0
		xs := make([][]float32, len(op.In))
		for i, n := range op.In {
			xs[i] = m.f32(n)
			total += a.Inner[i]
		}
		split := elem.NewSplit(d.pool, a.Outer, max(1, elem.ChunkLen/total), func(lo, hi int) {
			at := 0
			for i, x := range xs {
				n := a.Inner[i]
				elem.CopyRows(dst[lo*total+at:], x[lo*n:], hi-lo, n, total, n)
				at += n
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) slice(op *graph.Op, a *graph.SliceOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, a.Outer, max(1, elem.ChunkLen/max(1, a.Inner)), func(lo, hi int) {
			elem.CopyRows(dst[lo*a.Inner:], x[lo*a.Stride+a.Offset:], hi-lo, a.Inner, a.Inner, a.Stride)
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) repeat(op *graph.Op, a *graph.RepeatOp) (graph.Step, error) {
	weight := operand(op.In[0])
	return &step{weights: needs(weight), bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), weight.get()
		if x == nil {
			x = m.f32(op.In[0])
		}
		return func() error {
			for i := range a.Times {
				copy(dst[i*a.N:(i+1)*a.N], x)
			}
			return nil
		}
	}}, nil
}

func (d *Device) permute(op *graph.Op, a *graph.PermuteOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		return func() error { d.table.Elem.Permute(dst, x, a.Dims, a.Perm); return nil }
	}}, nil
}
