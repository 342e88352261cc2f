package cpu

import (
	"fmt"

	"syntic/kernels/attn"
	"syntic/kernels/narrow"
	"syntic/tensor/graph"
)

func (d *Device) attention(op *graph.Op, a *graph.AttentionOp) (graph.Step, error) {
	s := attn.Spec{
		B: a.B, H: a.Heads, LQ: a.LQ, LK: a.LK, D: a.D,
		StrideQ: a.StrideQ, StrideK: a.StrideK, StrideV: a.StrideV,
		Scale: a.Scale, Causal: a.Causal, KeyMask: op.In[3] != nil,
	}
	if d.narrow != nil && op.In[4] == nil && d.narrow.FitsAttention(s) {
		o := narrow.NewAttention(d.narrow, d.pool, s)
		return &step{workspace: o.Workspace(), bind: func(m *memory, ws []float32) run {
			dst, q, k, v := m.f32(op.Out), m.f32(op.In[0])[a.QOff:], m.f32(op.In[1])[a.KOff:], m.f32(op.In[2])[a.VOff:]
			return func() error { o.Run(dst, q, k, v, ws); return nil }
		}}, nil
	}
	o := attn.New(d.table.Attn, d.pool, s)
	return &step{workspace: o.Workspace(), bind: func(m *memory, ws []float32) run {
		dst, q, k, v := m.f32(op.Out), m.f32(op.In[0])[a.QOff:], m.f32(op.In[1])[a.KOff:], m.f32(op.In[2])[a.VOff:]
		mask, used := m.f32(op.In[3]), m.i32(op.In[4])
		return func() error {
			lk := a.LK
			if len(used) > 0 {
				if lk = int(used[0]); lk < 0 || lk > a.LK {
					return fmt.Errorf("attention over %d keys, of at most %d", lk, a.LK)
				}
			}
			o.Run(dst, q, k, v, mask, lk, ws)
			return nil
		}
	}}, nil
}

func (d *Device) cacheWrite(op *graph.Op, a *graph.CacheWriteOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		state, x, at := m.f32(op.In[0]), m.f32(op.In[1]), m.i32(op.In[2])
		return func() error {
			row := int(at[0])
			if row < 0 || row+a.T > a.L {
				return fmt.Errorf("cache of %d rows: rows %d to %d are outside", a.L, row, row+a.T-1)
			}
			for b := range a.B {
				for t := range a.T {
					copy(state[(b*a.L+row+t)*a.D:][:a.D], x[(b*a.T+t)*a.Stride+a.Off:])
				}
			}
			return nil
		}
	}}, nil
}

func (d *Device) cacheSelect(op *graph.Op, a *graph.CacheSelectOp) (graph.Step, error) {
	return &step{workspace: a.B * a.L * a.D, bind: func(m *memory, ws []float32) run {
		state, from, used := m.f32(op.In[0]), m.i32(op.In[1]), m.i32(op.In[2])
		return func() error {
			n := int(used[0])
			if n < 0 || n > a.L {
				return fmt.Errorf("cache of %d rows: %d in use", a.L, n)
			}
			// Only the rows that move are copied: most steps keep most beams.
			per, size := a.L*a.D, n*a.D
			for b, f := range from {
				if f < 0 || int(f) >= a.B {
					return fmt.Errorf("cache of %d sequences: sequence %d is outside", a.B, f)
				}
				if int(f) != b {
					copy(ws[b*per:][:size], state[int(f)*per:])
				}
			}
			for b, f := range from {
				if int(f) != b {
					copy(state[b*per:][:size], ws[b*per:])
				}
			}
			return nil
		}
	}}, nil
}
