//go:build cuda && linux

package cuda

import (
	"fmt"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

func (d *Device) unary(op *graph.Op, a *graph.UnaryOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("unary", op.Out.Shape.Elems(), new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0])).F32(a.Scale).Int(int(a.Act)))
	}), nil
}

func (d *Device) binary(op *graph.Op, a *graph.BinaryOp) (graph.Step, error) {
	weight := operand(op.In[1])
	kernel := [...]string{graph.Add: "add", graph.Mul: "mul"}[a.Arith]
	return launches(func(m *memory) {
		y := weight.ptr()
		if y == 0 {
			y = m.at(op.In[1])
		}
		m.each(kernel, a.Batch*a.M*a.N, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0]), y).Int(a.M, a.N))
	}, weight), nil
}

func (d *Device) geglu(op *graph.Op, a *graph.GEGLUOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("geglu", a.M*a.C, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0])).Int(a.C))
	}), nil
}

func (d *Device) embed(op *graph.Op, a *graph.EmbedOp) (graph.Step, error) {
	table := plain(op.In[1])
	return launches(func(m *memory) {
		slot := m.slot(func(_, id int) error {
			return fmt.Errorf("%s: id %d is outside the table of %d rows", op.In[1].Name, id, a.V)
		})
		m.each("embed", a.N*a.C, new(cux.Args).Ptr(m.at(op.Out), table.ptr(), m.at(op.In[0]), m.faults).Int(a.V, a.C, slot))
	}, table), nil
}

func (d *Device) gather(op *graph.Op, a *graph.GatherOp) (graph.Step, error) {
	return launches(func(m *memory) {
		slot := m.slot(func(_, row int) error { return fmt.Errorf("row %d of %d is outside", row, a.T) })
		m.each("gather", a.B*a.C, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0]), m.at(op.In[1]), m.faults).Int(a.T, a.C, slot))
	}), nil
}
