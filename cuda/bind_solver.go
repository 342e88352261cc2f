//go:build cuda && linux

package cuda

import (
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

func (d *Device) multistep(op *graph.Op, a *graph.MultistepOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("multistep", a.N, cux.Put(new(cux.Args).Ptr(m.at(op.In[0]), m.at(op.In[1])), m.view(op.In[2])).
			Ptr(m.at(op.In[3]), m.at(op.In[4])).Int(a.R, a.Halves))
	}), nil
}

// notFinitePart is how many elements one block of not_finite counts in.
const notFinitePart = 8192

func (d *Device) notFinite(op *graph.Op, a *graph.NotFiniteOp) (graph.Step, error) {
	parts := ceil(a.N, notFinitePart)
	return &step{workspace: parts, bind: func(m *memory, ws cu.DevicePtr) {
		if parts > 0 {
			m.launch("not_finite", cux.Grid{X: parts}, cux.Put(new(cux.Args).Ptr(ws), m.view(op.In[0])).Int(a.N))
		}
		m.launch("not_finite_end", cux.Grid{X: 1}, new(cux.Args).Ptr(m.at(op.Out), ws).Int(parts))
	}}, nil
}
