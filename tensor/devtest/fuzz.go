package devtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"syntic/kernels/ref"
	"syntic/tensor"
	"syntic/tensor/graph"
)

// programs is how many random programs the suite runs.
const programs = 1000

// drift is the tolerance of random programs: errors of some twenty operations
// add up, and a norm amplifies them. A wrong fusion or a value overwritten too
// early is off by about 1.
const drift = 1e-4

// random compares random programs with the reference device. There, every value
// is an output, so that nothing is fused and nothing shares memory.
func (s Suite) random(t *testing.T) {
	d, r := s.device(t, 2), NewRef()
	for seed := range uint64(programs) {
		k := newKit(2)
		var names []string
		list := func(keep bool) func(k *kit, b *graph.Builder) {
			return func(k *kit, b *graph.Builder) { names = randomProgram(k, b, seed, keep) }
		}
		p, err := k.build(d, list(false))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		inputs, outputs := k.inputs, k.outputs
		want, err := k.build(r, list(true))
		if err != nil {
			t.Fatalf("seed %d on the reference: %v", seed, err)
		}
		for step := range 4 {
			if step < 3 { // the last run finds its inputs as they were
				fill(p, inputs, step)
				fill(want, inputs, step)
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := want.Run(t.Context()); err != nil {
				t.Fatalf("seed %d on the reference: %v", seed, err)
			}
			for _, name := range outputs {
				if e := relErr(p.F32(name), want.F32(name)); !(e <= s.tolerance(drift)) {
					var dump strings.Builder
					if err := p.Dump(&dump); err != nil {
						t.Fatal(err)
					}
					t.Fatalf("seed %d, run %d: %s is off by %.3g\nrecorded:\n%s\nplanned:\n%s", seed, step, name, e, strings.Join(names, "\n"), dump.String())
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// randomProgram records some operations on values chosen at random, the same
// for the same seed, and returns what it recorded. With keep, all values become
// outputs; else a few, the same ones for the same seed.
func randomProgram(k *kit, b *graph.Builder, seed uint64, keep bool) []string {
	g := &generator{k: k, b: b, given: map[int]bool{}, r: rand.New(rand.NewPCG(seed, 0))}
	for i := range 1 + g.r.IntN(3) {
		c := []int{1, 4, 6, 8, 16, 20}[g.r.IntN(6)]
		shape := []int{1 + g.r.IntN(5), c}
		if g.r.IntN(2) == 0 {
			shape = []int{2 + g.r.IntN(4), 2 + g.r.IntN(4), c}
		}
		g.add(fmt.Sprintf("input %d", i), k.in(b, fmt.Sprintf("x%d", i), shape...))
		g.fixed = i + 1
	}
	for i := range 3 + g.r.IntN(25) {
		g.weights = fmt.Sprintf("%d.%d", seed, i)
		g.operation()
	}
	g.add("twice the last", b.Scale(g.values[len(g.values)-1], 2))
	last := len(g.values) - 1
	for i, v := range g.values {
		name := fmt.Sprintf("y%d", i)
		if g.given[i] || i < g.fixed {
			continue
		}
		if i == last || g.r.IntN(6) == 0 {
			k.out(b, name, v)
		} else if keep {
			b.Output(name, v)
		}
	}
	return g.names
}

// generator records one random program.
type generator struct {
	k       *kit
	b       *graph.Builder
	r       *rand.Rand
	values  []graph.Value
	names   []string
	fixed   int          // how many of the values are inputs
	given   map[int]bool // the values that are views of inputs
	weights string       // prefix of the next operation's weights
}

func (g *generator) add(what string, v graph.Value) {
	g.names = append(g.names, fmt.Sprintf("y%d = %s %v", len(g.values), what, v.Shape()))
	g.values = append(g.values, v)
}

// any returns a value and its number; recent ones are likelier, which makes
// chains.
func (g *generator) any() (graph.Value, int) {
	n := len(g.values)
	i := g.r.IntN(n)
	if g.r.IntN(2) == 0 {
		i = n - 1 - g.r.IntN(min(n, 3))
	}
	return g.values[i], i
}

// fitting returns a value of a shape that ok accepts; the zero Value when there
// is none.
func (g *generator) fitting(ok func(s tensor.Shape) bool) (graph.Value, int) {
	for _, i := range g.r.Perm(len(g.values)) {
		if ok(g.values[i].Shape()) {
			return g.values[i], i
		}
	}
	return graph.Value{}, -1
}

func (g *generator) weight(name string, shape ...int) *graph.Param {
	return g.k.weight(g.weights+name, shape...)
}

func (g *generator) act() graph.Act { return acts[g.r.IntN(len(acts))] }

// operation records one operation, or none when the choice doesn't fit.
func (g *generator) operation() {
	b := g.b
	x, i := g.any()
	s := x.Shape()
	c := s.Last()
	switch g.r.IntN(20) {
	case 0, 1:
		n := []int{1, 5, c, c, 16, 19}[g.r.IntN(6)]
		o := graph.LinearOpts{}
		what := fmt.Sprintf("linear(y%d) to %d", i, n)
		if g.r.IntN(2) == 0 {
			o.Bias = g.weight("b", n)
		}
		if g.r.IntN(3) == 0 {
			o.Act = g.act()
			what += " " + o.Act.String()
		}
		want := append(s[:len(s)-1:len(s)-1], n)
		if r, j := g.fitting(want.Equal); j >= 0 && g.r.IntN(2) == 0 {
			o.Residual = r
			what += fmt.Sprintf(" + y%d", j)
		}
		if g.r.IntN(2) == 0 {
			o.Layout = graph.KN
			g.add(what, b.Linear(x, g.weight("kn", c, n), o))
		} else {
			g.add(what, b.Linear(x, g.weight("nk", n, c), o))
		}
	case 2, 3, 4:
		y, j := g.fitting(s.HasSuffix)
		g.add(fmt.Sprintf("y%d + y%d", i, j), b.Add(x, y))
	case 5:
		y, j := g.fitting(s.HasSuffix)
		g.add(fmt.Sprintf("y%d * y%d", i, j), b.Mul(x, y))
	case 6, 7:
		act := g.act()
		g.add(fmt.Sprintf("%v(y%d)", act, i), b.Activate(x, act))
	case 8:
		g.add(fmt.Sprintf("norm(y%d)", i), b.LayerNorm(x, g.weight("w", c), g.weight("b", c), 0.1))
	case 9:
		if g.r.IntN(2) == 0 {
			g.add(fmt.Sprintf("softmax(y%d)", i), b.Softmax(x, 2))
		} else {
			g.add(fmt.Sprintf("l2(y%d + 1)", i), b.L2Norm(b.AddParam(x, g.weight("w", c))))
		}
	case 10, 15:
		g.reshape(x, i)
	case 11:
		axis := 1 + g.r.IntN(len(s)-1)
		y, j := g.fitting(func(o tensor.Shape) bool {
			return len(o) == len(s) && o[:axis].Equal(s[:axis]) && o[axis+1:].Equal(s[axis+1:]) && o[axis]+s[axis] < 64
		})
		if j >= 0 {
			g.add(fmt.Sprintf("concat(y%d, y%d)", i, j), b.Concat(axis, x, y, x))
		}
	case 12:
		axis := 1 + g.r.IntN(len(s)-1)
		lo := g.r.IntN(s[axis])
		hi := lo + 1 + g.r.IntN(s[axis]-lo)
		g.add(fmt.Sprintf("slice(y%d, %d, %d:%d)", i, axis, lo, hi), b.Slice(x, axis, lo, hi))
	case 13:
		perm := g.r.Perm(len(s) - 1)
		for i := range perm {
			perm[i]++
		}
		perm = slices.Insert(perm, 0, 0)
		g.add(fmt.Sprintf("permute(y%d, %v)", i, perm), b.Permute(x, perm...))
	case 14:
		g.attention(x, i)
	case 16: // a value without a batch, for sums over its rows
		if len(s) > 2 {
			g.add("rows", b.Activate(b.RepeatParam(g.weight("b", c), s[len(s)-2]), ref.Tanh))
		}
	default:
		g.picture(x, i)
	}
}

func (g *generator) reshape(x graph.Value, i int) {
	s := x.Shape()
	if i < g.fixed || g.given[i] {
		g.given[len(g.values)] = true
	}
	switch {
	case len(s) == 3 && g.r.IntN(2) == 0:
		g.add(fmt.Sprintf("view(y%d)", i), g.b.Reshape(x, s[0], s[2], s[1]))
	case len(s) == 3:
		g.add(fmt.Sprintf("view(y%d)", i), g.b.Reshape(x, s[0], 1, s[1], s[2]))
	default:
		g.add(fmt.Sprintf("view(y%d)", i), g.b.Reshape(x, s[0], -1, s.Last()))
	}
}

func (g *generator) attention(x graph.Value, i int) {
	s := x.Shape()
	if len(s) != 3 || s[2]%2 != 0 {
		return
	}
	y, j := g.fitting(func(o tensor.Shape) bool { return len(o) == 3 && o[0] == s[0] && o[2] == s[2] })
	o := graph.AttentionOpts{Heads: 2, D: s[2] / 2, Causal: g.r.IntN(2) == 0 && y.Dim(1) >= s[1]}
	g.add(fmt.Sprintf("attention(y%d, y%d)", i, j), g.b.Attention(x, y, y, o))
}

// picture records an operation on a value of four dimensions, or a product of
// two activations.
func (g *generator) picture(x graph.Value, i int) {
	s := x.Shape()
	if len(s) != 4 {
		if y, j := g.fitting(func(o tensor.Shape) bool {
			return len(o) == len(s) && len(o) > 1 && o[:len(o)-1].Equal(s[:len(s)-1]) && o.Last() == s.Last()
		}); len(s) == 3 && j >= 0 {
			g.add(fmt.Sprintf("matmul(y%d, y%d)", i, j), g.b.MatMul(x, y, graph.NK, 0.3))
		}
		return
	}
	c := s[3]
	switch g.r.IntN(4) {
	case 0:
		one := graph.Pad{Top: 1, Left: 1, Bottom: 1, Right: 1}
		o := graph.ConvOpts{Pad: one, Stride: 1 + g.r.IntN(2)}
		if g.r.IntN(2) == 0 {
			o.Bias, o.Act = g.weight("b", c), ref.ReLU
		}
		g.add(fmt.Sprintf("conv(y%d)", i), g.b.Conv2D(x, g.weight("conv", c, c, 3, 3), o))
	case 1:
		o := graph.ConvOpts{}
		if r, j := g.fitting(s.Equal); g.r.IntN(2) == 0 {
			o.Residual = r
			g.add(fmt.Sprintf("conv1(y%d) + y%d", i, j), g.b.Conv2D(x, g.weight("conv", c, c, 1, 1), o))
			return
		}
		g.add(fmt.Sprintf("conv1(y%d)", i), g.b.Conv2D(x, g.weight("conv", c, c, 1, 1), o))
	case 2:
		g.add(fmt.Sprintf("pool(y%d)", i), g.b.MaxPool(x, 3, 1+g.r.IntN(2), 1))
	default:
		if s.Elems() < 2000 {
			g.add(fmt.Sprintf("up(y%d)", i), g.b.Upsample(x, s[1]+1, 2*s[2]))
		}
		if c%2 == 0 {
			g.add(fmt.Sprintf("groups(y%d)", i), g.b.GroupNorm(x, g.weight("w", c), g.weight("b", c), 2, 0.1, ref.SiLU))
		}
	}
}
