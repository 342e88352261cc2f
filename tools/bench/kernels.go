package bench

import (
	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// The norms' parameters, those of torch and Stable Diffusion.
const (
	eps    = 1e-5
	groups = 32
)

// prepareKernel builds a program of one operation, from inputs to y.
func prepareKernel(d graph.Device, w Work) (*job, error) {
	r := random()
	var params [2]*graph.Param
	var values [2][]float32
	param := func(i int, shape ...int) (err error) {
		params[i], values[i], err = param(r, [2]string{"w", "b"}[i], shape...)
		return err
	}
	var record func(b *graph.Builder) graph.Value
	var nmse func(p *graph.Program) float64
	var err error
	inputs := []string{"x"}
	switch w.Kind {
	case "gemm":
		err = param(0, w.K, w.N)
		record = func(b *graph.Builder) graph.Value {
			return b.Linear(b.Input("x", w.M, w.K), params[0], graph.LinearOpts{Layout: graph.KN})
		}
		nmse = func(p *graph.Program) float64 { return w.gemmError(p.F32("y"), p.F32("x"), values[0]) }
	case "conv":
		err = param(0, w.Co, w.C, w.Ks, w.Ks)
		record = func(b *graph.Builder) graph.Value {
			n := w.pad()
			return b.Conv2D(b.Input("x", w.B, w.H, w.W, w.C), params[0], graph.ConvOpts{Stride: w.S, Pad: graph.Pad{Top: n, Left: n, Bottom: n, Right: n}})
		}
		nmse = func(p *graph.Program) float64 { return w.convError(p.F32("y"), p.F32("x"), values[0]) }
	case "attn":
		inputs = []string{"q", "k", "v"}
		record = func(b *graph.Builder) graph.Value {
			n := w.Hd * w.D
			q, k, v := b.Input("q", w.B, w.Lq, n), b.Input("k", w.B, w.Lk, n), b.Input("v", w.B, w.Lk, n)
			return b.Attention(q, k, v, graph.AttentionOpts{Heads: w.Hd, D: w.D})
		}
		nmse = func(p *graph.Program) float64 {
			return w.attnError(p.F32("y"), p.F32("q"), p.F32("k"), p.F32("v"))
		}
	case "op":
		if c := w.channels(); c > 0 {
			if err = param(0, c); err == nil {
				err = param(1, c)
			}
		}
		record = func(b *graph.Builder) graph.Value { return w.recordOp(b, params[0], params[1]) }
		nmse = func(p *graph.Program) float64 { return w.opError(p.F32("y"), p.F32("x"), values[0], values[1]) }
	}
	if err != nil {
		return nil, err
	}
	p, err := graph.Build(d, func(b *graph.Builder) { b.Output("y", record(b)) })
	if err != nil {
		return nil, err
	}
	for _, name := range inputs {
		x := p.F32(name)
		copy(x, normal(r, len(x)))
	}
	return &job{run: p.Run, nmse: func() float64 { return nmse(p) }, free: p.Close}, nil
}

// channels returns the length of an op's weight and bias, 0 without them.
func (w *Work) channels() int {
	switch w.Op {
	case "groupnorm":
		return w.Shape[1]
	case "layernorm":
		return w.Shape[len(w.Shape)-1]
	}
	return 0
}

// acts are the ops that are activations.
var acts = map[string]graph.Act{"gelu": ref.GELU, "silu": ref.SiLU, "relu": ref.ReLU}

func (w *Work) recordOp(b *graph.Builder, weight, bias *graph.Param) graph.Value {
	if w.Op == "groupnorm" {
		s := w.Shape
		return b.GroupNorm(b.Input("x", s[0], s[2], s[3], s[1]), weight, bias, groups, eps, ref.None)
	}
	x := b.Input("x", w.Shape...)
	switch w.Op {
	case "layernorm":
		return b.LayerNorm(x, weight, bias, eps)
	case "softmax":
		return b.Softmax(x, 1)
	}
	return b.Activate(x, acts[w.Op])
}
