package sd

import (
	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor/graph"
)

// Resnet is a residual block of two 3×3 convolutions; in the UNet the time
// embedding is added between them.
type Resnet struct {
	Norm1    *nn.GroupNorm `w:"norm1"`
	Conv1    *nn.Conv2D    `w:"conv1"`
	Time     *nn.Linear    `w:"time_emb_proj"` // nil in the autoencoder
	Norm2    *nn.GroupNorm `w:"norm2"`
	Conv2    *nn.Conv2D    `w:"conv2"`
	Shortcut *nn.Conv2D    `w:"conv_shortcut"` // nil where the channels stay

	timeAt int // first column of Time's outputs in the stacked projection
}

// newResnet returns a block; time is the embedding's width, 0 for none.
func newResnet(in, out, time, groups int, eps float64) *Resnet {
	r := &Resnet{
		Norm1: nn.NewGroupNorm(in, groups, eps), Conv1: nn.NewConv2D(in, out, 3, 1, 1, true),
		Norm2: nn.NewGroupNorm(out, groups, eps), Conv2: nn.NewConv2D(out, out, 3, 1, 1, true),
	}
	if time > 0 {
		r.Time = nn.NewLinear(time, out, true)
	}
	if in != out {
		r.Shortcut = nn.NewConv2D(in, out, 1, 1, 0, true)
	}
	return r
}

// convError is the rounding error that the 3×3 convolutions may have. With it
// the errors of the full-size goldens stay below a fifth of their tolerances, as
// without it.
const convError = 1e-6

// forward records the block. Shapes: x [N,H,W,C]; times [N,·], every block's
// projection of the time embedding, absent in the autoencoder.
func (r *Resnet) forward(b *graph.Builder, x, times graph.Value) graph.Value {
	h := r.Conv1.Forward(b, x, graph.ConvOpts{Norm: r.Norm1.Prologue(ref.SiLU), MaxError: convError})
	if r.Time != nil {
		h = b.AddEach(h, b.Slice(times, 1, r.timeAt, r.timeAt+h.Dim(3)))
	}
	if r.Shortcut != nil {
		x = r.Shortcut.Forward(b, x, graph.ConvOpts{})
	}
	return r.Conv2.Forward(b, h, graph.ConvOpts{Norm: r.Norm2.Prologue(ref.SiLU), Residual: x, MaxError: convError})
}

// Sampler is the convolution that halves a picture's sides, or that follows
// their doubling.
type Sampler struct {
	Conv *nn.Conv2D `w:"conv"`
}

// upsample records the resizing to h×w and its convolution.
func (s *Sampler) upsample(b *graph.Builder, x graph.Value, h, w int) graph.Value {
	return s.Conv.Forward(b, b.Upsample(x, h, w), graph.ConvOpts{MaxError: convError})
}

// Block is one level of a tower.
type Block struct {
	Attentions []*Transformer `w:"attentions"`
	Resnets    []*Resnet      `w:"resnets"`
	Down       []*Sampler     `w:"downsamplers"`
	Up         []*Sampler     `w:"upsamplers"`
}
