//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

func (d *Device) attention(op *graph.Op, a *graph.AttentionOp) (graph.Step, error) {
	queries, width := 64, 0 // of a block
	if a.LQ <= 16 || a.D > 160 {
		queries = 16
	}
	for _, w := range []int{512, 160, 64} {
		if a.D <= w {
			width = w
		}
	}
	if width == 0 {
		return nil, fmt.Errorf("heads of %d columns; the kernels go up to 512", a.D)
	}
	scale := a.Scale
	if scale == 0 {
		scale = inverseRoot(a.D)
	}
	return launches(func(m *memory) {
		slot := 0
		if op.In[4] != nil {
			slot = m.slot(func(_, used int) error { return fmt.Errorf("attention over %d keys, of at most %d", used, a.LK) })
		}
		causal := 0
		if a.Causal {
			causal = 1
		}
		args := args(m.view(op.Out), m.view(op.In[0]).from(a.QOff), m.view(op.In[1]).from(a.KOff), m.view(op.In[2]).from(a.VOff)).
			Ptr(m.at(op.In[3]), m.at(op.In[4]), m.faults).
			Int(a.LQ, a.LK, a.D, a.StrideQ, a.StrideK, a.StrideV).F32(scale).Int(causal, slot)
		if a.B*a.LQ*a.Heads > 0 {
			m.launch(fmt.Sprintf("attention_q%d_d%d", queries, width), cux.Grid{X: ceil(a.LQ, queries), Y: a.Heads, Z: a.B}, args)
		}
	}), nil
}

func (d *Device) cacheWrite(op *graph.Op, a *graph.CacheWriteOp) (graph.Step, error) {
	return launches(func(m *memory) {
		slot := m.slot(func(_, row int) error {
			return fmt.Errorf("cache of %d rows: rows %d to %d are outside", a.L, row, row+a.T-1)
		})
		m.each("cache_write", a.B*a.T*a.D, args(m.view(op.In[0]), m.view(op.In[1]).from(a.Off)).Ptr(m.at(op.In[2]), m.faults).Int(a.T, a.L, a.D, a.Stride, slot))
	}), nil
}

func (d *Device) cacheSelect(op *graph.Op, a *graph.CacheSelectOp) (graph.Step, error) {
	return &step{workspace: a.B * a.L * a.D, bind: func(m *memory, ws cu.DevicePtr) {
		slot := m.slot(func(position, number int) error {
			if position == 0 {
				return fmt.Errorf("cache of %d rows: %d in use", a.L, number)
			}
			return fmt.Errorf("cache of %d sequences: sequence %d is outside", a.B, number)
		})
		state, from, used := m.view(op.In[0]), m.at(op.In[1]), m.at(op.In[2])
		grid := cux.Grid{X: ceil(a.L*a.D, threads), Y: a.B}
		m.launch("cache_select_out", grid, cux.Put(new(cux.Args).Ptr(ws), state).Ptr(from, used, m.faults).Int(a.L, a.D, slot))
		m.launch("cache_select_in", grid, args(state).Ptr(ws, from, used, m.faults).Int(a.L, a.D, slot))
	}}, nil
}
