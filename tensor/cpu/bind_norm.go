package cpu

import (
	"syntic/kernels/elem"
	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

func (d *Device) layerNorm(op *graph.Op, a *graph.LayerNormOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	o := d.table.Norm.NewLayerNorm(d.pool, a.M, a.C, a.Eps)
	return &step{weights: needs(w, b), bind: func(m *memory, _ []float32) run {
		dst, x, w, b := m.f32(op.Out), m.f32(op.In[0]), w.get(), b.get()
		return func() error { o.Run(dst, x, w, b); return nil }
	}}, nil
}

func (d *Device) groupNorm(op *graph.Op, a *graph.GroupNormOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	o := d.table.Norm.NewGroupNorm(d.pool, a.N, a.HW, a.C, a.Groups, a.Eps, a.Act)
	return &step{weights: needs(w, b), bind: func(m *memory, _ []float32) run {
		dst, x, w, b := m.f32(op.Out), m.f32(op.In[0]), w.get(), b.get()
		return func() error { o.Run(dst, x, w, b); return nil }
	}}, nil
}

func (d *Device) groupNormStats(op *graph.Op, a *graph.GroupNormStatsOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	o := d.table.Norm.NewGroupNorm(d.pool, a.N, a.HW, a.C, a.Groups, a.Eps, ref.None)
	return &step{weights: needs(w, b), bind: func(m *memory, _ []float32) run {
		dst, x, w, b, nc := m.f32(op.Out), m.f32(op.In[0]), w.get(), b.get(), a.N*a.C
		return func() error { o.Stats(dst[:nc], dst[nc:], x, w, b); return nil }
	}}, nil
}

func (d *Device) softmax(op *graph.Op, a *graph.SoftmaxOp) (graph.Step, error) {
	o := d.table.Norm.NewSoftmax(d.pool, a.M, a.C, a.C, a.Scale)
	if a.Log {
		o = d.table.Norm.NewLogSoftmax(d.pool, a.M, a.C)
	}
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		return func() error { o.Run(dst, x, nil, nil); return nil }
	}}, nil
}

func (d *Device) l2Norm(op *graph.Op, a *graph.L2NormOp) (graph.Step, error) {
	o := d.table.Norm.NewL2Normalize(d.pool, a.M, a.C)
	return &step{bind: func(m *memory, _ []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		return func() error { o.Run(dst, x, nil, nil); return nil }
	}}, nil
}

func (d *Device) normalizer(op *graph.Op, a *graph.NormalizerOp) (graph.Step, error) {
	k := d.table.Elem
	return &step{workspace: a.M * a.C, bind: func(m *memory, ws []float32) run {
		dst, x := m.f32(op.Out), m.f32(op.In[0])
		split := elem.NewSplit(d.pool, a.M, 1, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row, e := x[i*a.C:(i+1)*a.C], ws[i*a.C:(i+1)*a.C]
				top := k.Max(row)
				k.AddScalar(e, row, -top)
				k.Exp(e, e)
				dst[2*i], dst[2*i+1] = top, float32(k.Sum(e))
			}
		})
		return func() error { split.Run(); return nil }
	}}, nil
}
