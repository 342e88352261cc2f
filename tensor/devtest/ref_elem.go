package devtest

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// evaluateElem covers the operations on elements, rows and shapes; nil for
// others.
func evaluateElem(op *graph.Op) eval {
	in := op.In
	switch a := op.Attr.(type) {
	case *graph.UnaryOp:
		return func(m *refMemory, out []float32) error {
			for i, v := range m.f32(in[0]) {
				out[i] = float32(a.Act.Apply(float64(a.Scale) * float64(v)))
			}
			return nil
		}
	case *graph.BinaryOp:
		return func(m *refMemory, out []float32) error {
			x, y := m.f32(in[0]), m.f32(in[1])
			for i, v := range x {
				if w := float64(y[i/(a.M*a.N)*a.N+i%a.N]); a.Arith == graph.Mul {
					out[i] = float32(float64(v) * w)
				} else {
					out[i] = float32(float64(v) + w)
				}
			}
			return nil
		}
	case *graph.GEGLUOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range out {
				at := i/a.C*2*a.C + i%a.C
				out[i] = float32(float64(x[at]) * ref.GELU.Apply(float64(x[at+a.C])))
			}
			return nil
		}
	case *graph.EmbedOp:
		return func(m *refMemory, out []float32) error {
			return pick(out, m.f32(in[1]), a.C, a.V, m.i32(in[0]), func(int) int { return 0 })
		}
	case *graph.GatherOp:
		return func(m *refMemory, out []float32) error {
			return pick(out, m.f32(in[0]), a.C, a.T, m.i32(in[1]), func(i int) int { return i / a.K * a.T })
		}
	case *graph.ArgMaxOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range a.M {
				best := 0
				for c, v := range x[i*a.C : (i+1)*a.C] {
					if v > x[i*a.C+best] {
						best = c
					}
				}
				int32s(out)[i] = int32(best)
			}
			return nil
		}
	case *graph.TopKOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range a.M {
				for k, at := range ref.TopK(x[i*a.C:(i+1)*a.C], a.K) {
					int32s(out)[i*a.K+k] = int32(at)
				}
			}
			return nil
		}
	case *graph.ConcatOp:
		return func(m *refMemory, out []float32) error {
			for o := range a.Outer {
				for i, n := range a.Inner {
					out = out[copy(out, m.f32(in[i])[o*n:(o+1)*n]):]
				}
			}
			return nil
		}
	case *graph.SliceOp:
		return func(m *refMemory, out []float32) error {
			for o := range a.Outer {
				copy(out[o*a.Inner:(o+1)*a.Inner], m.f32(in[0])[o*a.Stride+a.Offset:])
			}
			return nil
		}
	case *graph.RepeatOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range out {
				out[i] = x[i%a.N]
			}
			return nil
		}
	case *graph.PermuteOp:
		return func(m *refMemory, out []float32) error { permute(out, m.f32(in[0]), a); return nil }
	case *graph.MultistepOp:
		return func(m *refMemory, out []float32) error {
			row := ref.NewMultistep(a.R)
			row.Get(m.i32(in[4]))
			row.Run(out, m.f32(in[1]), m.f32(in[2]), m.f32(in[3]))
			return nil
		}
	case *graph.NotFiniteOp:
		return func(m *refMemory, out []float32) error {
			int32s(out)[0] = int32(ref.NotFinite(m.f32(in[0])))
			return nil
		}
	case *graph.CacheWriteOp:
		return func(m *refMemory, out []float32) error {
			x, at := m.f32(in[1]), int(m.i32(in[2])[0])
			if at < 0 || at+a.T > a.L {
				return fmt.Errorf("rows %d to %d of %d", at, at+a.T, a.L)
			}
			for b := range a.B {
				for t := range a.T {
					copy(out[(b*a.L+at+t)*a.D:][:a.D], x[(b*a.T+t)*a.Stride+a.Off:])
				}
			}
			return nil
		}
	case *graph.CacheSelectOp:
		return func(m *refMemory, out []float32) error {
			state, used := m.f32(in[0]), int(m.i32(in[2])[0])
			if used < 0 || used > a.L {
				return fmt.Errorf("%d rows of %d", used, a.L)
			}
			for b, from := range m.i32(in[1]) {
				if from < 0 || int(from) >= a.B {
					return fmt.Errorf("sequence %d of %d", from, a.B)
				}
				copy(out[b*a.L*a.D:][:used*a.D], state[int(from)*a.L*a.D:])
			}
			return nil
		}
	}
	return nil
}

// pick copies row ids[i] of the rows that begin at row base(i).
func pick(out, x []float32, c, rows int, ids []int32, base func(i int) int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= rows {
			return fmt.Errorf("row %d of %d", id, rows)
		}
		copy(out[i*c:(i+1)*c], x[(base(i)+int(id))*c:])
	}
	return nil
}

func permute(out, x []float32, a *graph.PermuteOp) {
	var stride, size [4]int // of x, in the result's order
	s := 1
	var xs [4]int
	for i := 3; i >= 0; i-- {
		xs[i], s = s, s*a.Dims[i]
	}
	for i, p := range a.Perm {
		stride[i], size[i] = xs[p], a.Dims[p]
	}
	for i := range out {
		at, rest := 0, i
		for j := 3; j >= 0; j-- {
			at += rest % size[j] * stride[j]
			rest /= size[j]
		}
		out[i] = x[at]
	}
}
