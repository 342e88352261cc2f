package devtest

import (
	"fmt"
	"math"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// solverCases step a diffusion solver on states, and count what isn't finite.
func solverCases() []testCase {
	var all []testCase
	for _, c := range []struct {
		tensors, halves, n int
		noisy              bool
	}{{2, 1, 1, false}, {2, 2, 37, true}, {3, 2, 300, false}, {7, 1, 5000, true}, {8, 2, 9001, true}} {
		all = append(all, testCase{name: fmt.Sprintf("Multistep/%d of %d, %d halves", c.tensors, c.n, c.halves), steps: 4, alone: true, record: func(k *kit, b *graph.Builder) {
			x, in := k.wide("x", 1, c.tensors, c.n), k.wide("in", 1, 1, c.n)
			o, z := k.vector(b, "o", c.halves*c.n), graph.Value{}
			if c.noisy {
				z = k.vector(b, "z", c.n)
			}
			// The first step finds zeros and fills them; a third of the coefficients leave out.
			words := k.words(b, "coefficients", ref.MultistepWords(c.tensors), func(step int, dst []int32) {
				next := stream("coefficients", step)
				m := ref.NewMultistep(c.tensors)
				draw := func() float64 { return float64(uniform(next, 1)[0]) * float64(min(next()%3, 1)) }
				m.Guidance, m.Estimate, m.Limit, m.Scale = 7.5, [2]float64{draw(), draw()}, math.Inf(1), 0.3
				if step%2 == 1 {
					m.Limit = 0.1
				}
				for _, row := range m.Next {
					for j := range row {
						row[j] = draw()
					}
					row[1] = 1 / float64(c.tensors)
				}
				m.Put(dst)
			})
			v := b.Multistep(x, in, o, z, words)
			k.out(b, "tensors", b.Scale(v, 1))
			k.out(b, "input", b.Scale(b.State(in), 1))
			k.out(b, "bad", b.NotFinite(b.State(in)))
		}})
	}
	all = append(all, testCase{name: "Multistep/spoiled", steps: 2, alone: true, record: func(k *kit, b *graph.Builder) {
		// A tensor that holds NaN and is left out spoils nothing: the first step makes it.
		x, in := k.wide("spoiled", 1, 3, 20), k.wide("in", 1, 1, 20)
		words := k.words(b, "coefficients", ref.MultistepWords(3), func(step int, dst []int32) {
			m := ref.NewMultistep(3)
			m.Next[0][1], m.Next[1][1], m.Scale = 1, 0.5, 1
			if step == 0 {
				m.Next[2][1] = math.Inf(1)
			}
			m.Put(dst)
		})
		v := b.Multistep(x, in, k.vector(b, "o", 20), graph.Value{}, words)
		k.out(b, "bad", b.NotFinite(v))
		k.out(b, "input", b.Scale(b.State(in), 1))
	}})
	for _, n := range []int{1, 255, 8193, 70_001} {
		all = append(all, testCase{name: fmt.Sprintf("NotFinite/%d", n), alone: true, record: func(k *kit, b *graph.Builder) {
			k.inputs = append(k.inputs, input{"x", func(int) []float32 {
				v, next := make([]float32, n), stream("x")
				for i := range v {
					v[i] = [...]float32{1, float32(math.Inf(-1)), math.MaxFloat32, float32(math.NaN()), 0}[next()%5]
				}
				return v
			}, false})
			x := b.Input("x", n)
			k.out(b, "bad", b.NotFinite(x))
			k.out(b, "none", b.NotFinite(b.Activate(k.vector(b, "good", n), ref.Tanh)))
		}})
	}
	return all
}
