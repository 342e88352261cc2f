package cpu

import (
	"syntic/kernels/gemm"
	"syntic/tensor/graph"
)

// rows returns the kernel that streams a table where it lies.
func (d *Device) rows(p *graph.Param, batch int) (*gemm.Rows, error) {
	m, err := matrix(p, gemm.NK, p.Shape[1], p.Shape[0])
	if err != nil {
		return nil, err
	}
	return gemm.NewRows(d.table.Gemm, d.pool, m, batch), nil
}

func (d *Device) rowDots(op *graph.Op, a *graph.RowDotsOp) (graph.Step, error) {
	r, err := d.rows(op.In[1].Param, a.B)
	if err != nil {
		return nil, err
	}
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		return func() error { r.Dots(dst, a.M, x, a.D, a.B, 0, a.M); return nil }
	}}, nil
}

func (d *Device) rowSum(op *graph.Op, a *graph.RowSumOp) (graph.Step, error) {
	r, err := d.rows(op.In[1].Param, a.B)
	if err != nil {
		return nil, err
	}
	return &step{bind: func(m *memory, _ []float32) run {
		dst, p := m.f32(op.Out), m.f32(op.In[0])
		return func() error {
			clear(dst)
			r.Sum(dst, a.D, p, a.M, a.B, 0, a.M)
			return nil
		}
	}}, nil
}
