package sd

import (
	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/graph"
)

// Transformer lets a picture's cells attend to one another and to the prompt.
type Transformer struct {
	Norm      *nn.GroupNorm `w:"norm"`
	ProjIn    *nn.Conv2D    `w:"proj_in"`
	LinearIn  *nn.Linear    `w:"proj_in"` // instead, with use_linear_projection
	Layers    []*Layer      `w:"transformer_blocks"`
	ProjOut   *nn.Conv2D    `w:"proj_out"`
	LinearOut *nn.Linear    `w:"proj_out"`

	in, out *nn.Conv2D // whichever it is
}

// Layer is one pre-norm transformer layer.
type Layer struct {
	Norm1 *nn.LayerNorm `w:"norm1"`
	Self  *Attention    `w:"attn1"`
	Norm2 *nn.LayerNorm `w:"norm2"`
	Cross *Attention    `w:"attn2"`
	Norm3 *nn.LayerNorm `w:"norm3"`
	FF    *FeedForward  `w:"ff"`

	heads int
	qkv   *nn.Linear // of Self, stacked: one product instead of three
	kvAt  int        // first column of Cross's keys in the prompt's state; values follow
}

// Attention is the projections of an attention.
type Attention struct {
	Q   *nn.Linear `w:"to_q"`
	K   *nn.Linear `w:"to_k"`
	V   *nn.Linear `w:"to_v"`
	Out *nn.Linear `w:"to_out.0"`
}

// FeedForward is a perceptron with a gated GELU.
type FeedForward struct {
	Proj *nn.Linear `w:"net.0.proj"`
	Out  *nn.Linear `w:"net.2"`
}

// The transformers' norms have these, whatever the config's norm_eps.
// Source: diffusers models/transformers/transformer_2d.py and attention.py.
const (
	groupEps = 1e-6
	layerEps = 1e-5
)

func newTransformer(c UNetConfig, channels, heads int) *Transformer {
	t := &Transformer{Norm: nn.NewGroupNorm(channels, c.Groups, groupEps)}
	if c.Linear {
		t.LinearIn, t.LinearOut = nn.NewLinear(channels, channels, true), nn.NewLinear(channels, channels, true)
		t.in, t.out = nn.Pointwise(t.LinearIn), nn.Pointwise(t.LinearOut)
	} else {
		t.ProjIn, t.ProjOut = nn.NewConv2D(channels, channels, 1, 1, 0, true), nn.NewConv2D(channels, channels, 1, 1, 0, true)
		t.in, t.out = t.ProjIn, t.ProjOut
	}
	attention := func(context int) *Attention {
		return &Attention{
			nn.NewLinear(channels, channels, false), nn.NewLinear(context, channels, false),
			nn.NewLinear(context, channels, false), nn.NewLinear(channels, channels, true),
		}
	}
	for range c.Transformers {
		l := &Layer{
			Norm1: nn.NewLayerNorm(channels, layerEps), Self: attention(channels),
			Norm2: nn.NewLayerNorm(channels, layerEps), Cross: attention(c.Context),
			Norm3: nn.NewLayerNorm(channels, layerEps),
			FF:    &FeedForward{nn.NewLinear(channels, 8*channels, true), nn.NewLinear(4*channels, channels, true)},
			heads: heads,
		}
		l.qkv = nn.StackLinear(l.Self.Q, l.Self.K, l.Self.V)
		t.Layers = append(t.Layers, l)
	}
	return t
}

// forward records the transformer. Shapes: x [N,H,W,C]; kv [P,L,·], every layer's
// keys and values of the prompts, P a multiple of N; the result [P,H,W,C].
func (t *Transformer) forward(b *graph.Builder, x, kv graph.Value) graph.Value {
	n, p, h, w, c := x.Dim(0), kv.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	y := t.in.Forward(b, x, graph.ConvOpts{Norm: t.Norm.Prologue(ref.None)})
	y = b.Reshape(y, n, h*w, c)
	for _, l := range t.Layers {
		y = l.forward(b, y, kv)
	}
	return t.out.Forward(b, b.Reshape(y, p, h, w, c), graph.ConvOpts{Residual: perPrompt(b, x, p)})
}

// perPrompt returns x [N,…] repeated for p prompts, p a multiple of N. What comes
// before the first look at a prompt is the same for all prompts of a latent, and so
// is computed once.
func perPrompt(b *graph.Builder, x graph.Value, p int) graph.Value {
	if x.Dim(0) == p {
		return x
	}
	return b.Reshape(b.Repeat(x, p/x.Dim(0)), append(tensor.Shape{p}, x.Shape()[1:]...)...)
}

func (l *Layer) forward(b *graph.Builder, x, kv graph.Value) graph.Value {
	c := x.Dim(2)
	qkv := l.qkv.Forward(b, l.Norm1.Forward(b, x), graph.LinearOpts{})
	a := b.Attention(qkv, qkv, qkv, graph.AttentionOpts{Heads: l.heads, D: c / l.heads, KOff: c, VOff: 2 * c})
	x = l.Self.Out.Forward(b, a, graph.LinearOpts{Residual: x})

	q := l.Cross.Q.Forward(b, l.Norm2.Forward(b, x), graph.LinearOpts{})
	x, q = perPrompt(b, x, kv.Dim(0)), perPrompt(b, q, kv.Dim(0))
	a = b.Attention(q, kv, kv, graph.AttentionOpts{Heads: l.heads, D: c / l.heads, KOff: l.kvAt, VOff: l.kvAt + c})
	x = l.Cross.Out.Forward(b, a, graph.LinearOpts{Residual: x})

	h := b.GEGLU(l.FF.Proj.Forward(b, l.Norm3.Forward(b, x), graph.LinearOpts{}))
	return l.FF.Out.Forward(b, h, graph.LinearOpts{Residual: x})
}
