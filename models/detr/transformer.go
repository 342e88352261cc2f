package detr

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/graph"
)

// Attention is multi-head attention with its four projections.
type Attention struct {
	Q   *nn.Linear `w:"q_proj"`
	K   *nn.Linear `w:"k_proj"`
	V   *nn.Linear `w:"v_proj"`
	Out *nn.Linear `w:"out_proj"`

	qk *nn.Linear // queries and keys of self-attention come from one input
}

func newAttention(d int) *Attention {
	a := &Attention{Q: nn.NewLinear(d, d, true), K: nn.NewLinear(d, d, true), V: nn.NewLinear(d, d, true), Out: nn.NewLinear(d, d, true)}
	a.qk = nn.StackLinear(a.Q, a.K)
	return a
}

// self records self-attention where positions are added to queries and keys
// but not to values, with the residual x. Shapes: x and at [B,L,D].
func (a *Attention) self(b *graph.Builder, x, at graph.Value, heads int, mask graph.Value) graph.Value {
	d := x.Dim(2)
	qk := a.qk.Forward(b, at, graph.LinearOpts{})
	v := a.V.Forward(b, x, graph.LinearOpts{})
	o := b.Attention(qk, qk, v, graph.AttentionOpts{Heads: heads, D: d / heads, KOff: d, Mask: mask})
	return a.Out.Forward(b, o, graph.LinearOpts{Residual: x})
}

// EncoderLayer is one post-norm layer over the picture's cells.
type EncoderLayer struct {
	Attn     *Attention    `w:"self_attn"`
	AttnNorm *nn.LayerNorm `w:"self_attn_layer_norm"`
	FC1      *nn.Linear    `w:"fc1"`
	FC2      *nn.Linear    `w:"fc2"`
	Norm     *nn.LayerNorm `w:"final_layer_norm"`
}

// DecoderLayer is one post-norm layer over the object queries.
type DecoderLayer struct {
	Attn      *Attention    `w:"self_attn"`
	AttnNorm  *nn.LayerNorm `w:"self_attn_layer_norm"`
	Cross     *Attention    `w:"encoder_attn"`
	CrossNorm *nn.LayerNorm `w:"encoder_attn_layer_norm"`
	FC1       *nn.Linear    `w:"fc1"`
	FC2       *nn.Linear    `w:"fc2"`
	Norm      *nn.LayerNorm `w:"final_layer_norm"`
}

// Encoder is the stack of encoder layers.
type Encoder struct {
	Layers []*EncoderLayer `w:"layers"`
	heads  int
}

// Decoder is the stack of decoder layers.
type Decoder struct {
	Layers []*DecoderLayer `w:"layers"`
	Norm   *nn.LayerNorm   `w:"layernorm"`
	heads  int
	k, v   *nn.Linear // the layers' projections of the picture, stacked
}

// eps is every layer norm's. Source: torch.nn.LayerNorm's default, which
// modeling_detr.py uses.
const eps = 1e-5

func newEncoder(c Config) *Encoder {
	e := &Encoder{heads: c.EncoderHeads}
	d := c.Width
	for range c.EncoderLayers {
		e.Layers = append(e.Layers, &EncoderLayer{
			newAttention(d), nn.NewLayerNorm(d, eps),
			nn.NewLinear(d, c.EncoderFFN, true), nn.NewLinear(c.EncoderFFN, d, true), nn.NewLayerNorm(d, eps),
		})
	}
	return e
}

func newDecoder(c Config) *Decoder {
	t := &Decoder{Norm: nn.NewLayerNorm(c.Width, eps), heads: c.DecoderHeads}
	d := c.Width
	var ks, vs []*nn.Linear
	for range c.DecoderLayers {
		l := &DecoderLayer{
			newAttention(d), nn.NewLayerNorm(d, eps), newAttention(d), nn.NewLayerNorm(d, eps),
			nn.NewLinear(d, c.DecoderFFN, true), nn.NewLinear(c.DecoderFFN, d, true), nn.NewLayerNorm(d, eps),
		}
		t.Layers = append(t.Layers, l)
		ks, vs = append(ks, l.Cross.K), append(vs, l.Cross.V)
	}
	t.k, t.v = nn.StackLinear(ks...), nn.StackLinear(vs...)
	return t
}

// forward records the encoder. Shapes: x [B,L,D], positions [L,D] or [B,L,D],
// mask [B,L] or absent.
func (e *Encoder) forward(b *graph.Builder, x, positions, mask graph.Value) graph.Value {
	for i, l := range e.Layers {
		x = l.AttnNorm.Forward(b, l.Attn.self(b, x, b.Add(x, positions), e.heads, mask))
		h := l.FC1.Forward(b, x, graph.LinearOpts{Act: ref.ReLU})
		x = l.Norm.Forward(b, l.FC2.Forward(b, h, graph.LinearOpts{Residual: x}))
		b.Tap(fmt.Sprintf("enc%d", i+1), x)
	}
	b.Tap("encoder_last_hidden_state", x)
	return x
}

// forward records the decoder over the encoder's memory. Shapes: memory [B,L,D],
// positions [L,D] or [B,L,D], queries [Q,D], mask [B,L] or absent; the result
// [B,Q,D].
func (t *Decoder) forward(b *graph.Builder, memory, positions graph.Value, queries *graph.Param, mask graph.Value) graph.Value {
	n, q, d := memory.Dim(0), queries.Shape[0], queries.Shape[1]
	keys := t.k.Forward(b, b.Add(memory, positions), graph.LinearOpts{})
	values := t.v.Forward(b, memory, graph.LinearOpts{})
	x := b.Const(make([]float32, tensor.Shape{n, q, d}.Elems()), n, q, d)
	for i, l := range t.Layers {
		x = l.AttnNorm.Forward(b, l.Attn.self(b, x, b.AddParam(x, queries), t.heads, graph.Value{}))
		qs := l.Cross.Q.Forward(b, b.AddParam(x, queries), graph.LinearOpts{})
		o := b.Attention(qs, keys, values, graph.AttentionOpts{Heads: t.heads, D: d / t.heads, KOff: i * d, VOff: i * d, Mask: mask})
		x = l.CrossNorm.Forward(b, l.Cross.Out.Forward(b, o, graph.LinearOpts{Residual: x}))
		h := l.FC1.Forward(b, x, graph.LinearOpts{Act: ref.ReLU})
		x = l.Norm.Forward(b, l.FC2.Forward(b, h, graph.LinearOpts{Residual: x}))
		b.Tap(fmt.Sprintf("dec%d", i+1), x)
	}
	x = t.Norm.Forward(b, x)
	b.Tap("decoder_last_hidden_state", x)
	return x
}
