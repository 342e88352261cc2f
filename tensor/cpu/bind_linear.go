package cpu

import (
	"syntic/kernels/gemm"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// layouts maps the graph's layouts to the kernels'.
var layouts = [...]gemm.Layout{graph.NK: gemm.NK, graph.KN: gemm.KN}

// types maps the checkpoints' element types to those that the packer reads.
var types = map[tensor.DType]gemm.DType{weights.F32: gemm.F32, weights.F16: gemm.F16, weights.BF16: gemm.BF16}

// storage returns how a weight is stored when it is packed.
func (d *Device) storage(p *graph.Param) gemm.DType {
	if t := p.Holds(); d.opts.Keep && t != weights.F32 {
		return types[t]
	}
	return d.opts.Storage
}

// matrix describes a weight as the packer reads it: where it lies when its type
// is one that the packer widens, a float32 copy otherwise.
func matrix(p *graph.Param, layout gemm.Layout, k, n int) (gemm.Matrix, error) {
	m := gemm.Matrix{Layout: layout, K: k, N: n}
	t, stored := p.Tensor()
	if typ, ok := types[t.DType]; stored && ok {
		m.Data, m.Type = t.Data, typ
		return m, nil
	}
	v, err := p.Float32s()
	m.Data = tensor.FromF32(v, len(v)).Data
	return m, err
}

func (d *Device) linear(op *graph.Op, a *graph.LinearOp) (graph.Step, error) {
	if d.narrow != nil {
		return d.narrowLinear(op, a), nil
	}
	form, storage := [...]string{graph.NK: "linear NK", graph.KN: "linear KN"}[a.Layout], d.storage(op.In[1].Param)
	w := &weight[*gemm.Weights]{
		key:   packKey{op.In[1].Param, form},
		bytes: d.table.Gemm.PackedLen(a.K, a.N) * storage.Size(),
		make: func() (packed *gemm.Weights, err error) {
			m, err := matrix(op.In[1].Param, layouts[a.Layout], a.K, a.N)
			if err != nil {
				return nil, err
			}
			err = weights.Guard(func() error { packed = d.table.Gemm.Pack(d.pool, m, storage); return nil })
			return packed, err
		},
	}
	bias := plain(op.In[2])
	o := gemm.NewOp(d.table.Gemm, d.pool, gemm.Spec{
		M: a.M, N: a.N, K: a.K, Act: a.Act, LDA: op.In[0].RowStride(), LDC: op.Out.RowStride(),
	})
	return &step{weights: needs(w, bias), bind: func(m *memory, _ []float32) run {
		dst, x, residual, w, bias := m.f32(op.Out), m.f32(op.In[0]), m.f32(op.In[3]), w.get(), bias.get()
		return func() error { o.Run(dst, x, w, bias, residual); return nil }
	}}, nil
}

func (d *Device) matMul(op *graph.Op, a *graph.MatMulOp) (graph.Step, error) {
	o := gemm.NewMatMul(d.table.Gemm, d.pool, gemm.MatMulSpec{
		Batch: a.Batch, M: a.M, N: a.N, K: a.K, Layout: layouts[a.Layout], Scale: a.Scale,
	})
	return &step{workspace: o.WorkLen(), bind: func(m *memory, ws []float32) run {
		dst, x, y := m.f32(op.Out), m.f32(op.In[0]), m.f32(op.In[1])
		return func() error { o.Run(dst, x, y, ws); return nil }
	}}, nil
}
