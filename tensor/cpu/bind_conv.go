package cpu

import (
	"syntic/kernels/conv"
	"syntic/kernels/elem"
	"syntic/tensor/graph"
	"syntic/weights"
)

func (d *Device) conv(op *graph.Op, a *graph.ConvOp) (graph.Step, error) {
	algorithm, maxError := conv.Auto, a.MaxError
	switch d.opts.Winograd {
	case WinogradOff:
		if a.Groups == 1 { // one channel a group has a way of its own
			algorithm = conv.Direct
		}
	case WinogradF2:
		maxError = 0
	case WinogradF4:
		maxError = conv.ErrorF4
	}
	s := conv.Spec{
		Algorithm: algorithm,
		N:         a.N, H: a.H, W: a.W, C: a.C, O: a.O, KH: a.KH, KW: a.KW,
		StrideH: a.StrideH, StrideW: a.StrideW, DilH: a.DilH, DilW: a.DilW, Groups: a.Groups,
		PadT: a.Pad.Top, PadL: a.Pad.Left, PadB: a.Pad.Bottom, PadR: a.Pad.Right,
		Bias: op.In[2] != nil, Residual: op.In[3] != nil, Act: a.Act,
		Norm: op.In[4] != nil, NormAct: a.NormAct, MaxError: maxError, Storage: d.storage(op.In[1].Param),
	}
	if d.narrow != nil && d.narrow.FitsConv(s, d.table.Conv.Choose(s)) {
		return d.narrowConv(op, s), nil
	}
	o := conv.New(d.table.Conv, d.pool, s)
	w := &weight[*conv.Weights]{
		key:   packKey{op.In[1].Param, o.WeightsKey()},
		bytes: o.WeightBytes(),
		make: func() (w *conv.Weights, err error) {
			err = weights.Guard(func() error {
				v, err := op.In[1].Param.Float32s()
				if err == nil {
					w = o.Pack(v)
				}
				return err
			})
			return w, err
		},
	}
	bias := plain(op.In[2])
	return &step{o.Workspace(), needs(w, bias), func(m *memory, ws []float32) run {
		dst, x, residual, w, bias, norm := m.f32(op.Out), m.f32(op.In[0]), m.f32(op.In[3]), w.get(), bias.get(), m.norm(op.In[4])
		return func() error { o.Run(dst, x, w, bias, residual, norm, ws); return nil }
	}}, nil
}

// norm returns a convolution's prologue; nil for none.
func (m *memory) norm(stats *graph.Node) *conv.Norm {
	if stats == nil {
		return nil
	}
	v := m.f32(stats)
	half := len(v) / 2
	return &conv.Norm{Scale: v[:half], Shift: v[half:]}
}

func (d *Device) maxPool(op *graph.Op, a *graph.MaxPoolOp) (graph.Step, error) {
	o := conv.NewPool(d.table.Conv, d.pool, conv.PoolSpec{
		N: a.N, H: a.H, W: a.W, C: a.C, KH: a.K, KW: a.K, StrideH: a.Stride, StrideW: a.Stride,
		PadT: a.Pad, PadL: a.Pad, PadB: a.Pad, PadR: a.Pad,
	})
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		return func() error { o.Run(dst, x); return nil }
	}}, nil
}

func (d *Device) upsample(op *graph.Op, a *graph.UpsampleOp) (graph.Step, error) {
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		in, out := a.H*a.W*a.C, a.OutH*a.OutW*a.C
		// A task is a run of rows of the result; pictures follow one another.
		split := elem.NewSplit(d.pool, a.N*a.OutH, max(1, elem.ChunkLen/(a.OutW*a.C)), func(lo, hi int) {
			for lo < hi {
				n := lo / a.OutH
				end := min(hi, (n+1)*a.OutH)
				elem.NearestRows(dst[n*out:(n+1)*out], x[n*in:(n+1)*in], lo-n*a.OutH, end-n*a.OutH, a.H, a.W, a.C, a.OutH, a.OutW)
				lo = end
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}
