package caption

import (
	"syntic/nn"
	"syntic/tensor/graph"
)

// Prefix turns features into the vectors that the language model continues:
// the projected image feature and, where the captioner has it, the auxiliary
// feature of the objects.
type Prefix struct {
	Image *nn.Linear `w:"clip_project"`
	Attn  *MultiHead `w:"aux_attn"`
	Aux   *nn.Linear `w:"aux_project"`
	heads int
}

// MultiHead is torch's MultiheadAttention: queries, keys and values from one
// packed weight [3D,D].
type MultiHead struct {
	Weight *graph.Param `w:"in_proj_weight"`
	Bias   *graph.Param `w:"in_proj_bias"`
	Out    *nn.Linear   `w:"out_proj"`

	query, keyValue *nn.Linear // rows of the packed weight
}

// NewPrefix returns the module for features of d values and a decoder of width
// w, without weights; without aux it is the projection alone.
func NewPrefix(d, w, heads int, aux bool) *Prefix {
	p := &Prefix{Image: nn.NewLinear(d, w, true), heads: heads}
	if aux {
		in := &nn.Linear{Weight: graph.NewParam(3*d, d), Bias: graph.NewParam(3 * d)}
		p.Attn = &MultiHead{Weight: in.Weight, Bias: in.Bias, Out: nn.NewLinear(d, d, true), query: nn.RowsLinear(in, 0, d), keyValue: nn.RowsLinear(in, d, 3*d)}
		p.Aux = nn.NewLinear(d, w, true)
	}
	return p
}

// Len returns the number of prefix vectors.
func (p *Prefix) Len() int {
	if p.Attn == nil {
		return 1
	}
	return 2
}

// forward records equations 4 and 5 and the projections. Shapes: v [B,D] the
// feature that the decoder reads, query [B,D] the one that asks, tags [B,T,D]
// with keys [B,T] (1 tag, 0 none), present [B,1,D] all ones for a picture with
// tags and all zeros for one without, whose auxiliary feature is zero before
// its projection; the result [B,Len,W].
func (p *Prefix) forward(b *graph.Builder, v, query, tags, keys, present graph.Value) graph.Value {
	n, d := v.Dim(0), v.Dim(1)
	image := p.Image.Forward(b, b.Reshape(v, n, 1, d), graph.LinearOpts{})
	if p.Attn == nil {
		return image
	}
	q := p.Attn.query.Forward(b, b.Reshape(query, n, 1, d), graph.LinearOpts{})
	kv := p.Attn.keyValue.Forward(b, tags, graph.LinearOpts{})
	a := b.Attention(q, kv, kv, graph.AttentionOpts{Heads: p.heads, D: d / p.heads, VOff: d, Mask: keys})
	a = b.Mul(p.Attn.Out.Forward(b, a, graph.LinearOpts{}), present)
	return b.Concat(1, image, p.Aux.Forward(b, a, graph.LinearOpts{}))
}
