//go:build cuda && linux

package cuda

import (
	"fmt"

	"syntic/tensor/graph"
)

func (d *Device) unary(op *graph.Op, a *graph.UnaryOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("unary", op.Out.Shape.Elems(), args(m.view(op.Out), m.view(op.In[0])).F32(a.Scale).Int(int(a.Act)))
	}), nil
}

func (d *Device) binary(op *graph.Op, a *graph.BinaryOp) (graph.Step, error) {
	weight := operand(op.In[1])
	kernel := [...]string{graph.Add: "add", graph.Mul: "mul"}[a.Arith]
	return launches(func(m *memory) {
		y := m.view(op.In[1])
		if weight != nil {
			y = view{at: weight.ptr()}
		}
		m.each(kernel, a.Batch*a.M*a.N, args(m.view(op.Out), m.view(op.In[0]), y).Int(a.M, a.N))
	}, weight), nil
}

func (d *Device) geglu(op *graph.Op, a *graph.GEGLUOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("geglu", a.M*a.C, args(m.view(op.Out), m.view(op.In[0])).Int(a.C))
	}), nil
}

func (d *Device) embed(op *graph.Op, a *graph.EmbedOp) (graph.Step, error) {
	table := plain(op.In[1])
	return launches(func(m *memory) {
		slot := m.slot(func(_, id int) error {
			return fmt.Errorf("%s: id %d is outside the table of %d rows", op.In[1].Name, id, a.V)
		})
		m.each("embed", a.N*a.C, args(m.view(op.Out)).Ptr(table.ptr(), m.at(op.In[0]), m.faults).Int(a.V, a.C, slot))
	}, table), nil
}

func (d *Device) gather(op *graph.Op, a *graph.GatherOp) (graph.Step, error) {
	return launches(func(m *memory) {
		slot := m.slot(func(_, row int) error { return fmt.Errorf("row %d of %d is outside", row, a.T) })
		m.each("gather", a.B*a.K*a.C, args(m.view(op.Out), m.view(op.In[0])).Ptr(m.at(op.In[1]), m.faults).Int(a.K, a.T, a.C, slot))
	}), nil
}
