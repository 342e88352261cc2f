package cpu

import (
	"syntic/kernels/conv"
	"syntic/kernels/gemm"
	"syntic/kernels/narrow"
	"syntic/tensor/graph"
	"syntic/weights"
)

// narrowLinear is linear in the device's precision.
func (d *Device) narrowLinear(op *graph.Op, a *graph.LinearOp) *step {
	o := narrow.NewProduct(d.narrow, d.pool, gemm.Spec{
		M: a.M, N: a.N, K: a.K, Act: a.Act, LDA: op.In[0].RowStride(), LDC: op.Out.RowStride(),
	})
	form := [...]string{graph.NK: " NK", graph.KN: " KN"}[a.Layout]
	return d.narrowProduct(op, o, o.WeightsKey()+form, nil, func() (*narrow.Weights, error) {
		m, err := matrix(op.In[1].Param, layouts[a.Layout], a.K, a.N)
		if err != nil {
			return nil, err
		}
		return o.Pack(m), nil
	})
}

// narrowConv is conv in it.
func (d *Device) narrowConv(op *graph.Op, s conv.Spec) *step {
	o := narrow.NewConv(d.narrow, d.pool, s)
	return d.narrowProduct(op, o, o.WeightsKey(), op.In[4], func() (*narrow.Weights, error) {
		v, err := op.In[1].Param.Float32s()
		if err != nil {
			return nil, err
		}
		return o.PackTaps(v), nil
	})
}

// narrowProduct is the step of either; stats is nil without a prologue.
func (d *Device) narrowProduct(op *graph.Op, o *narrow.Op, form string, stats *graph.Node, pack func() (*narrow.Weights, error)) *step {
	w := &weight[*narrow.Weights]{
		key:   packKey{op.In[1].Param, form},
		bytes: o.WeightBytes(),
		make: func() (w *narrow.Weights, err error) {
			err = weights.Guard(func() (err error) { w, err = pack(); return err })
			return w, err
		},
	}
	bias := plain(op.In[2])
	return &step{o.Workspace(), needs(w, bias), func(m *memory, ws []float32) run {
		dst, x, residual, w, bias, norm := m.f32(op.Out), m.f32(op.In[0]), m.f32(op.In[3]), w.get(), bias.get(), m.norm(stats)
		return func() error { o.Run(dst, x, w, bias, residual, norm, ws); return nil }
	}}
}
