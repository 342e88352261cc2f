package nn

import (
	"math"

	"syntic/tensor"
	"syntic/tensor/graph"
)

// Linear is x·Wᵀ + b. Shapes: Weight [out,in], Bias [out] or nil.
type Linear struct {
	Weight *graph.Param `w:"weight"`
	Bias   *graph.Param `w:"bias"`
	layout graph.Layout
}

// NewLinear returns a layer from in to out features.
func NewLinear(in, out int, bias bool) *Linear {
	l := &Linear{Weight: graph.NewParam(out, in)}
	if bias {
		l.Bias = graph.NewParam(out)
	}
	return l
}

// NewConv1D returns GPT-2's linear layer, whose weight is [in,out].
// Source: transformers pytorch_utils.py, Conv1D.
func NewConv1D(in, out int) *Linear {
	return &Linear{Weight: graph.NewParam(in, out), Bias: graph.NewParam(out), layout: graph.KN}
}

// StackLinear returns one layer whose outputs are those of all parts in turn;
// the parts share its memory once a device packs it.
func StackLinear(parts ...*Linear) *Linear {
	ws, bs := make([]*graph.Param, len(parts)), make([]*graph.Param, len(parts))
	for i, p := range parts {
		ws[i], bs[i] = p.Weight, p.Bias
	}
	l := &Linear{Weight: graph.Stack(ws...)}
	if bs[0] != nil {
		l.Bias = graph.Stack(bs...)
	}
	return l
}

// RowsLinear returns the layer made of l's outputs [lo, hi).
func RowsLinear(l *Linear, lo, hi int) *Linear {
	r := &Linear{Weight: graph.Rows(l.Weight, lo, hi)}
	if l.Bias != nil {
		r.Bias = graph.Rows(l.Bias, lo, hi)
	}
	return r
}

// Forward records act(x·Wᵀ + b + residual); o's Bias and Layout are the layer's
// own.
func (l *Linear) Forward(b *graph.Builder, x graph.Value, o graph.LinearOpts) graph.Value {
	o.Bias, o.Layout = l.Bias, l.layout
	return b.Linear(x, l.Weight, o)
}

// LayerNorm normalises the last dimension. Shapes: Weight, Bias [C].
type LayerNorm struct {
	Weight *graph.Param `w:"weight"`
	Bias   *graph.Param `w:"bias"`
	eps    float32
}

// NewLayerNorm returns a layer for c channels.
func NewLayerNorm(c int, eps float64) *LayerNorm {
	return &LayerNorm{Weight: graph.NewParam(c), Bias: graph.NewParam(c), eps: float32(eps)}
}

// Forward records the normalisation.
func (l *LayerNorm) Forward(b *graph.Builder, x graph.Value) graph.Value {
	return b.LayerNorm(x, l.Weight, l.Bias, l.eps)
}

// GroupNorm normalises groups of channels of each picture.
type GroupNorm struct {
	Weight *graph.Param `w:"weight"`
	Bias   *graph.Param `w:"bias"`
	groups int
	eps    float32
}

// NewGroupNorm returns a layer for c channels in groups.
func NewGroupNorm(c, groups int, eps float64) *GroupNorm {
	return &GroupNorm{Weight: graph.NewParam(c), Bias: graph.NewParam(c), groups: groups, eps: float32(eps)}
}

// Forward records the normalisation and the activation after it.
func (l *GroupNorm) Forward(b *graph.Builder, x graph.Value, act graph.Act) graph.Value {
	return b.GroupNorm(x, l.Weight, l.Bias, l.groups, l.eps, act)
}

// Prologue returns the normalisation and the activation after it in the form
// that a convolution applies to its input.
func (l *GroupNorm) Prologue(act graph.Act) *graph.Norm {
	return &graph.Norm{Weight: l.Weight, Bias: l.Bias, Groups: l.groups, Eps: l.eps, Act: act}
}

// Embedding is a table of rows. Shape: Weight [V,C].
type Embedding struct {
	Weight *graph.Param `w:"weight"`
}

// NewEmbedding returns a table of v rows of c values.
func NewEmbedding(v, c int) *Embedding { return &Embedding{Weight: graph.NewParam(v, c)} }

// Forward records the look-up of ids.
func (e *Embedding) Forward(b *graph.Builder, ids graph.Value) graph.Value {
	return b.Embed(ids, e.Weight)
}

// Conv2D is a convolution over [N,H,W,C]. Shapes: Weight [O,C,KH,KW] as
// checkpoints store it, Bias [O] or nil.
type Conv2D struct {
	Weight *graph.Param `w:"weight"`
	Bias   *graph.Param `w:"bias"`
	stride int
	pad    graph.Pad
}

// NewConv2D returns a k×k convolution with the same padding on every side.
func NewConv2D(in, out, k, stride, pad int, bias bool) *Conv2D {
	return NewPaddedConv2D(in, out, k, stride, graph.Pad{Top: pad, Left: pad, Bottom: pad, Right: pad}, bias)
}

// NewPaddedConv2D returns a k×k convolution with a padding of its own on every
// side.
func NewPaddedConv2D(in, out, k, stride int, pad graph.Pad, bias bool) *Conv2D {
	c := &Conv2D{Weight: graph.NewParam(out, in, k, k), stride: stride, pad: pad}
	if bias {
		c.Bias = graph.NewParam(out)
	}
	return c
}

// Forward records act(conv(x) + b + residual); o's Bias, Stride and Pad are the
// layer's own.
func (c *Conv2D) Forward(b *graph.Builder, x graph.Value, o graph.ConvOpts) graph.Value {
	o.Bias, o.Stride, o.Pad = c.Bias, c.stride, c.pad
	return b.Conv2D(x, c.Weight, o)
}

// Pointwise returns the 1×1 convolution that equals l at every pixel, for inputs
// that a norm is applied to while they are read.
func Pointwise(l *Linear) *Conv2D {
	shape := append(l.Weight.Shape.Clone(), 1, 1)
	weight := graph.Derived(shape, func(dst []float32, from [][]float32) { copy(dst, from[0]) }, l.Weight)
	return &Conv2D{Weight: weight, Bias: l.Bias}
}

// FrozenBatchNorm is a batch norm in inference: (x-mean)·w/√(var+eps) + b.
type FrozenBatchNorm struct {
	Weight      *graph.Param `w:"weight"`
	Bias        *graph.Param `w:"bias"`
	RunningMean *graph.Param `w:"running_mean"`
	RunningVar  *graph.Param `w:"running_var"`
}

// NewFrozenBatchNorm returns a layer for c channels.
func NewFrozenBatchNorm(c int) *FrozenBatchNorm {
	return &FrozenBatchNorm{graph.NewParam(c), graph.NewParam(c), graph.NewParam(c), graph.NewParam(c)}
}

// frozenEps is the frozen batch norm's epsilon.
// Source: facebookresearch/detr models/backbone.py, FrozenBatchNorm2d.
const frozenEps = 1e-5

// Fold returns the convolution that equals c followed by n. The folded weights
// are computed in float64 when a device packs them. c must have no bias.
func Fold(c *Conv2D, n *FrozenBatchNorm) *Conv2D {
	weight := graph.Derived(c.Weight.Shape, func(dst []float32, from [][]float32) {
		w, gamma, variance := from[0], from[1], from[2]
		k := len(w) / len(gamma)
		for i, x := range w {
			dst[i] = float32(float64(x) * float64(gamma[i/k]) / math.Sqrt(float64(variance[i/k])+frozenEps))
		}
	}, c.Weight, n.Weight, n.RunningVar)
	bias := graph.Derived(tensor.Shape{c.Weight.Shape[0]}, func(dst []float32, from [][]float32) {
		beta, gamma, mean, variance := from[0], from[1], from[2], from[3]
		for i := range dst {
			s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+frozenEps)
			dst[i] = float32(float64(beta[i]) - float64(mean[i])*s)
		}
	}, n.Bias, n.Weight, n.RunningMean, n.RunningVar)
	return &Conv2D{Weight: weight, Bias: bias, stride: c.stride, pad: c.pad}
}
