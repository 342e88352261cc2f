package cpu

import (
	"fmt"

	"syntic/kernels/elem"
	"syntic/tensor/graph"
)

func (d *Device) unary(op *graph.Op, a *graph.UnaryOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, len(dst), elem.ChunkLen, func(lo, hi int) {
			src := x[lo:hi]
			if a.Scale != 1 {
				d.table.Elem.Scale(dst[lo:hi], src, a.Scale)
				src = dst[lo:hi]
			}
			if a.Act != 0 || a.Scale == 1 {
				d.table.Elem.Act(dst[lo:hi], src, a.Act)
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) binary(op *graph.Op, a *graph.BinaryOp) (graph.Step, error) {
	weight := operand(op.In[1])
	k := d.table.Elem
	whole, rows := k.Add, k.AddRow
	if a.Arith == graph.Mul {
		whole, rows = k.Mul, k.MulRow
	}
	return &step{weights: needs(weight), bind: func(m *memory, _ []float32) run {
		dst, x, y := m.f32(op.Out), m.f32(op.In[0]), weight.get()
		if y == nil {
			y = m.f32(op.In[1])
		}
		if a.Batch == 1 && a.M == 1 {
			split := elem.NewSplit(d.pool, a.N, elem.ChunkLen, func(lo, hi int) { whole(dst[lo:hi], x[lo:hi], y[lo:hi]) })
			return func() error { split.Run(); return nil }
		}
		// Rows of all parts follow one another; a task may span parts.
		split := elem.NewSplit(d.pool, a.Batch*a.M, max(1, elem.ChunkLen/a.N), func(lo, hi int) {
			for lo < hi {
				part := lo / a.M
				end := min(hi, (part+1)*a.M)
				rows(dst[lo*a.N:end*a.N], x[lo*a.N:end*a.N], y[part*a.N:(part+1)*a.N])
				lo = end
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) geglu(op *graph.Op, a *graph.GEGLUOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, a.M, max(1, elem.ChunkLen/a.C), func(lo, hi int) {
			d.table.Elem.GEGLU(dst[lo*a.C:hi*a.C], x[2*lo*a.C:2*hi*a.C], a.C)
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) embed(op *graph.Op, a *graph.EmbedOp) (graph.Step, error) {
	table := plain(op.In[1])
	return &step{weights: needs(table), bind: func(m *memory, _ []float32) run {
		dst, ids, table := m.f32(op.Out), m.i32(op.In[0]), table.get()
		return func() error {
			for _, id := range ids {
				if id < 0 || int(id) >= a.V {
					return fmt.Errorf("%s: id %d is outside the table of %d rows", op.In[1].Name, id, a.V)
				}
			}
			d.table.Elem.Gather(dst, table, a.C, ids)
			return nil
		}
	}}, nil
}

func (d *Device) gather(op *graph.Op, a *graph.GatherOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x, index := m.f32(op.Out), m.f32(op.In[0]), m.i32(op.In[1])
		return func() error {
			for n, i := range index {
				if i < 0 || int(i) >= a.T {
					return fmt.Errorf("row %d of %d is outside", i, a.T)
				}
				copy(dst[n*a.C:][:a.C], x[(n/a.K*a.T+int(i))*a.C:])
			}
			return nil
		}
	}}, nil
}

func (d *Device) argMax(op *graph.Op, a *graph.ArgMaxOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.i32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, a.M, max(1, elem.ChunkLen/a.C), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				dst[i] = int32(d.table.Elem.ArgMax(x[i*a.C : (i+1)*a.C]))
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}

func (d *Device) topK(op *graph.Op, a *graph.TopKOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.i32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, a.M, max(1, elem.ChunkLen/a.C), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				d.table.Elem.TopK(dst[i*a.K:(i+1)*a.K], x[i*a.C:(i+1)*a.C])
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}
