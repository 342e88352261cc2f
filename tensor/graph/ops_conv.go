package graph

import "syntic/tensor"

// Pad holds the zeros added on each side of a picture.
type Pad struct{ Top, Left, Bottom, Right int }

// ConvOp is a 2-D convolution over [N,H,W,C] with weights [O,C/Groups,KH,KW],
// Out = Act(conv(NormAct(x·scale + shift)) + Bias + Residual).
// In: x, w (Weight), bias (Weight or nil), residual (or nil), scale and shift
// ([2,N,C], from a GroupNormStatsOp; nil for none). Padding stays zero.
type ConvOp struct {
	N, H, W, C, O, KH, KW int
	StrideH, StrideW      int
	DilH, DilW            int
	Pad                   Pad
	Groups                int
	OutH, OutW            int
	Act                   Act
	NormAct               Act // of the normalised input
	MaxError              float64
}

// Kind implements Attr.
func (*ConvOp) Kind() string { return "Conv2D" }

// ConvOpts are Conv2D's optional parts; zero means stride 1, dilation 1, one
// group, no padding.
type ConvOpts struct {
	Bias     *Param // [O]
	Residual Value  // added before the activation
	Act      Act
	Stride   int
	Dilation int
	Pad      Pad
	Groups   int
	Norm     *Norm // applied to the input while it is read; nil for none

	// MaxError is the relative rounding error that a device may trade for speed
	// where the model's results bear it; 0 means as exact as plain sums.
	MaxError float64
}

// Norm is a GroupNorm with an activation that a convolution applies to its input
// while it packs it: the normalised picture is never written.
type Norm struct {
	Weight, Bias *Param // [C]
	Groups       int
	Eps          float32
	Act          Act
}

// Conv2D returns act(conv(norm(x), w) + bias + residual). Shapes: x [N,H,W,C],
// w [O,C/groups,KH,KW] as checkpoints store it, the result [N,H',W',O].
func (b *Builder) Conv2D(x Value, w *Param, o ConvOpts) Value {
	if len(x.Shape()) != 4 || len(w.Shape) != 4 {
		fail(w.Label(), "Conv2D", "input and weight must have four dimensions", x.Shape(), w.Shape)
	}
	a := &ConvOp{
		N: x.Dim(0), H: x.Dim(1), W: x.Dim(2), C: x.Dim(3),
		O: w.Shape[0], KH: w.Shape[2], KW: w.Shape[3],
		StrideH: max(o.Stride, 1), StrideW: max(o.Stride, 1),
		DilH: max(o.Dilation, 1), DilW: max(o.Dilation, 1),
		Pad: o.Pad, Groups: max(o.Groups, 1), Act: o.Act, MaxError: o.MaxError,
	}
	if a.C != w.Shape[1]*a.Groups || a.O%a.Groups != 0 {
		fail(w.Label(), "Conv2D", "channels don't fit", x.Shape(), w.Shape)
	}
	if o.Bias != nil && !o.Bias.Shape.Equal(tensor.Shape{a.O}) {
		fail(o.Bias.Label(), "Conv2D", "the bias must have one value per output channel", o.Bias.Shape, w.Shape)
	}
	a.OutH = (a.H+o.Pad.Top+o.Pad.Bottom-a.DilH*(a.KH-1)-1)/a.StrideH + 1
	a.OutW = (a.W+o.Pad.Left+o.Pad.Right-a.DilW*(a.KW-1)-1)/a.StrideW + 1
	if a.H+o.Pad.Top+o.Pad.Bottom < a.DilH*(a.KH-1)+1 || a.W+o.Pad.Left+o.Pad.Right < a.DilW*(a.KW-1)+1 {
		fail(w.Label(), "Conv2D", "the picture is smaller than the kernel", x.Shape(), w.Shape)
	}
	shape := tensor.Shape{a.N, a.OutH, a.OutW, a.O}
	if o.Residual.Defined() && !o.Residual.Shape().Equal(shape) {
		fail(w.Label(), "Conv2D", "residual and result don't fit", o.Residual.Shape(), shape)
	}
	var stats *Node
	if o.Norm != nil {
		a.NormAct = o.Norm.Act
		stats = b.groupNormStats(x, o.Norm)
	}
	return b.emit(a, F32, shape, x.n, b.param(w), b.param(o.Bias), o.Residual.n, stats)
}

// MaxPoolOp takes the largest value of each window over [N,H,W,C]. In: x.
type MaxPoolOp struct {
	N, H, W, C, K, Stride, Pad, OutH, OutW int
}

// Kind implements Attr.
func (*MaxPoolOp) Kind() string { return "MaxPool" }

// MaxPool returns the largest value of each k×k window; padding never wins.
func (b *Builder) MaxPool(x Value, k, stride, pad int) Value {
	if len(x.Shape()) != 4 || x.Dim(1)+2*pad < k || x.Dim(2)+2*pad < k {
		fail("", "MaxPool", "the picture is smaller than the window", x.Shape())
	}
	a := &MaxPoolOp{N: x.Dim(0), H: x.Dim(1), W: x.Dim(2), C: x.Dim(3), K: k, Stride: stride, Pad: pad}
	a.OutH, a.OutW = (a.H+2*pad-k)/stride+1, (a.W+2*pad-k)/stride+1
	return b.emit(a, F32, tensor.Shape{a.N, a.OutH, a.OutW, a.C}, x.n)
}

// UpsampleOp resizes [N,H,W,C] by nearest neighbour, as torch's interpolate
// does. In: x.
type UpsampleOp struct{ N, H, W, C, OutH, OutW int }

// Kind implements Attr.
func (*UpsampleOp) Kind() string { return "Upsample" }

// Upsample returns x resized to h×w by nearest neighbour.
func (b *Builder) Upsample(x Value, h, w int) Value {
	if len(x.Shape()) != 4 {
		fail("", "Upsample", "the input must have four dimensions", x.Shape())
	}
	a := &UpsampleOp{N: x.Dim(0), H: x.Dim(1), W: x.Dim(2), C: x.Dim(3), OutH: h, OutW: w}
	return b.emit(a, F32, tensor.Shape{a.N, h, w, a.C}, x.n)
}
