package graph

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor"
)

// MultistepOp takes a step of a linear multistep solver, as ref.Multistep says.
// In: x (State [1,R,N]), in (State [1,1,N]), o [Halves,N], z [N] or nil,
// coefficients (I32). The result is another name for x; in is written too.
type MultistepOp struct{ R, N, Halves int }

// Kind implements Attr.
func (*MultistepOp) Kind() string { return "Multistep" }

// Multistep moves a diffusion solver on by what a model made of its latent: in one
// pass over each element it guides the model's output o, updates the R tensors of
// x, the latent first, and leaves in the state in what the model reads next. The
// sums are in float64, the same on every device. It returns x.
//
// Shapes: x [1,R,N] and in [1,1,N], both Wide; o of N elements or of two halves, the
// second the prompt's; z, the noise, of N or absent; coefficients
// [ref.MultistepWords(R)], as ref.Multistep.Put writes them. R is 2 to
// ref.MaxTensors.
func (b *Builder) Multistep(x, in *State, o, z, coefficients Value) Value {
	sx, si := x.Shape, in.Shape
	if len(sx) != 3 || sx[0] != 1 || !si.Equal(tensor.Shape{1, 1, sx[2]}) {
		fail(x.Name, "Multistep", "the states don't fit", sx, si)
	}
	a := &MultistepOp{R: sx[1], N: sx[2], Halves: o.Shape().Elems() / max(sx[2], 1)}
	switch {
	case a.R < 2 || a.R > ref.MaxTensors:
		fail(x.Name, "Multistep", fmt.Sprintf("2 to %d tensors are possible", ref.MaxTensors), sx)
	case !x.Wide || !in.Wide:
		fail(x.Name, "Multistep", "the states must be wide")
	case a.Halves < 1 || a.Halves > 2 || o.Shape().Elems() != a.Halves*a.N:
		fail(x.Name, "Multistep", "the model's output isn't one or two halves of the latent's size", o.Shape(), sx)
	case z.Defined() && z.Shape().Elems() != a.N:
		fail(x.Name, "Multistep", "noise and state don't fit", z.Shape(), sx)
	case !coefficients.Shape().Equal(tensor.Shape{ref.MultistepWords(a.R)}):
		fail(x.Name, "Multistep", fmt.Sprintf("%d tensors have %d words of coefficients", a.R, ref.MultistepWords(a.R)), coefficients.Shape())
	}
	st := b.State(x)
	v := b.emit(a, F32, st.Shape(), st.n, b.State(in).n, o.n, z.n, coefficients.n)
	v.n.alias = st.n
	return v
}

// NotFiniteOp counts the N elements of x that are infinite or NaN. In: x. The
// result is I32 [1].
type NotFiniteOp struct{ N int }

// Kind implements Attr.
func (*NotFiniteOp) Kind() string { return "NotFinite" }

// NotFinite returns how many elements are infinite or NaN, whole numbers [1].
func (b *Builder) NotFinite(x Value) Value {
	return b.emit(&NotFiniteOp{N: x.Shape().Elems()}, I32, tensor.Shape{1}, x.n)
}
