package cpu

import (
	"sync/atomic"

	"syntic/kernels/elem"
	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

func (d *Device) multistep(op *graph.Op, a *graph.MultistepOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		x, in, o, z, words := m.f32(op.In[0]), m.f32(op.In[1]), m.f32(op.In[2]), m.f32(op.In[3]), m.i32(op.In[4])
		row := ref.NewMultistep(a.R)
		split := elem.NewSplit(d.pool, a.N, elem.MultistepPart, func(lo, hi int) { elem.Multistep(row, x, in, o, z, a.N, lo, hi) })
		return func() error {
			row.Get(words[:ref.MultistepWords(a.R)])
			split.Run()
			return nil
		}
	}}, nil
}

func (d *Device) notFinite(op *graph.Op, a *graph.NotFiniteOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.i32(op.Out), m.f32(op.In[0])
		var count atomic.Int32
		split := elem.NewSplit(d.pool, a.N, elem.ChunkLen, func(lo, hi int) { count.Add(int32(elem.NotFinite(x[lo:hi]))) })
		return func() error {
			count.Store(0)
			split.Run()
			dst[0] = count.Load()
			return nil
		}
	}}, nil
}
