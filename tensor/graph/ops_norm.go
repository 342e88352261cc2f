package graph

import "syntic/tensor"

// LayerNormOp normalises each row of [M,C]. In: x, w (Weight), b (Weight).
type LayerNormOp struct {
	M, C int
	Eps  float32
}

// Kind implements Attr.
func (*LayerNormOp) Kind() string { return "LayerNorm" }

// LayerNorm returns (x-mean)/√(var+eps)·w + bias over the last dimension.
func (b *Builder) LayerNorm(x Value, w, bias *Param, eps float32) Value {
	c := x.Shape().Last()
	if !w.Shape.Equal(tensor.Shape{c}) || !bias.Shape.Equal(tensor.Shape{c}) {
		fail(w.Label(), "LayerNorm", "input and weight don't fit", x.Shape(), w.Shape)
	}
	return b.emit(&LayerNormOp{M: x.Shape().Rows(), C: c, Eps: eps}, F32, x.Shape(), x.n, b.param(w), b.param(bias))
}

// GroupNormOp normalises groups of channels of [N,H·W,C], then applies Act.
// In: x, w (Weight), b (Weight).
type GroupNormOp struct {
	N, HW, C, Groups int
	Eps              float32
	Act              Act
}

// Kind implements Attr.
func (*GroupNormOp) Kind() string { return "GroupNorm" }

// GroupNorm returns act of x normalised over each group of channels of each
// picture. Shapes: x [N,...,C], w and bias [C].
func (b *Builder) GroupNorm(x Value, w, bias *Param, groups int, eps float32, act Act) Value {
	s := x.Shape()
	checkGroups(s, w, bias, groups)
	a := &GroupNormOp{N: s[0], HW: s[1 : len(s)-1].Elems(), C: s.Last(), Groups: groups, Eps: eps, Act: act}
	return b.emit(a, F32, s, x.n, b.param(w), b.param(bias))
}

func checkGroups(s tensor.Shape, w, bias *Param, groups int) {
	c := s.Last()
	if len(s) < 2 || !w.Shape.Equal(tensor.Shape{c}) || !bias.Shape.Equal(tensor.Shape{c}) || groups < 1 || c%groups != 0 {
		fail(w.Label(), "GroupNorm", "input and weight don't fit", s, w.Shape)
	}
}

// GroupNormStatsOp gives the factors that normalise groups of channels of
// [N,H·W,C]: x·Out[0] + Out[1] is x normalised.
// In: x, w (Weight), b (Weight). The result is [2,N,C].
type GroupNormStatsOp struct {
	N, HW, C, Groups int
	Eps              float32
}

// Kind implements Attr.
func (*GroupNormStatsOp) Kind() string { return "GroupNormStats" }

func (b *Builder) groupNormStats(x Value, n *Norm) *Node {
	s := x.Shape()
	checkGroups(s, n.Weight, n.Bias, n.Groups)
	a := &GroupNormStatsOp{N: s[0], HW: s[1 : len(s)-1].Elems(), C: s.Last(), Groups: n.Groups, Eps: n.Eps}
	return b.emit(a, F32, tensor.Shape{2, a.N, a.C}, x.n, b.param(n.Weight), b.param(n.Bias)).n
}

// SoftmaxOp is a softmax over each row of [M,C], of Scale·x; with Log, its
// logarithm. In: x.
type SoftmaxOp struct {
	M, C  int
	Scale float32
	Log   bool
}

// Kind implements Attr.
func (a *SoftmaxOp) Kind() string {
	if a.Log {
		return "LogSoftmax"
	}
	return "Softmax"
}

// Softmax returns exp(scale·x)/Σexp(scale·x) over the last dimension.
func (b *Builder) Softmax(x Value, scale float32) Value {
	return b.emit(&SoftmaxOp{M: x.Shape().Rows(), C: x.Shape().Last(), Scale: scale}, F32, x.Shape(), x.n)
}

// LogSoftmax returns the logarithm of Softmax(x, 1).
func (b *Builder) LogSoftmax(x Value) Value {
	return b.emit(&SoftmaxOp{M: x.Shape().Rows(), C: x.Shape().Last(), Scale: 1, Log: true}, F32, x.Shape(), x.n)
}

// L2NormOp scales each row of [M,C] to unit length. In: x.
type L2NormOp struct{ M, C int }

// Kind implements Attr.
func (*L2NormOp) Kind() string { return "L2Norm" }

// L2Norm returns x/|x| over the last dimension; a zero row stays zero.
func (b *Builder) L2Norm(x Value) Value {
	return b.emit(&L2NormOp{M: x.Shape().Rows(), C: x.Shape().Last()}, F32, x.Shape(), x.n)
}

// NormalizerOp gives the largest value and the sum of exponentials of each row
// of [M,C]: what turns logits into probabilities without writing them all.
// In: x. The result is [M,2]: m and Σexp(x-m).
type NormalizerOp struct{ M, C int }

// Kind implements Attr.
func (*NormalizerOp) Kind() string { return "Normalizer" }

// Normalizer returns, for each row of the last dimension, m = max(x) and
// Σexp(x-m), so that log softmax(x)[i] = x[i] - m - log Σ. Shapes: x [...,C],
// the result [...,2].
func (b *Builder) Normalizer(x Value) Value {
	s := x.Shape().Clone()
	a := &NormalizerOp{M: s.Rows(), C: s.Last()}
	s[len(s)-1] = 2
	return b.emit(a, F32, s, x.n)
}
