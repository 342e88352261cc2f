package graph

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

// TestPlanKeepsEveryValue replays random plans on paper: every operation marks
// its result's addresses as its own and scribbles over its temporary memory, and
// finds what it reads marked by whoever made it. So no two values whose
// lifetimes meet share memory, inputs keep their content, and outputs live to
// the end.
func TestPlanKeepsEveryValue(t *testing.T) {
	shared := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		b := newBuilder(nil)
		randomOps(b, r)
		var outputs []*Node
		total := 0
		for _, n := range b.nodes {
			if n.output {
				outputs = append(outputs, n)
			}
			if n.alias == nil && n.Role <= Input {
				total += (n.Shape.Elems() + alignment - 1) / alignment * alignment
			}
		}
		// The nodes that make the memory, before the plan computes in place.
		maker := map[*Node]*Node{}
		for _, n := range b.nodes {
			maker[n] = n.Root()
		}
		ops := live(b.ops)
		workspace := make([]int, len(ops))
		for i := range workspace {
			workspace[i] = r.IntN(3) * r.IntN(100)
			total += (workspace[i] + alignment - 1) / alignment * alignment
		}
		p := plan(ops, b.inputs, outputs, workspace)
		require.LessOrEqual(t, p.Arena, total)
		if p.Arena < total/2 {
			shared++
		}

		arena := make([]*Node, p.Arena)
		mark := func(n, as *Node, size int, at int) {
			for i := range size {
				arena[at+i] = as
			}
		}
		check := func(n *Node, what string) {
			if n == nil || n.Role > Input || maker[n].Role > Input {
				return
			}
			require.Zero(t, p.Offset(n)%alignment)
			for i := range n.Shape.Elems() {
				if arena[p.Offset(n)+i] != maker[n] {
					t.Fatalf("seed %d: %s finds element %d of node %d overwritten", seed, what, i, n.ID)
				}
			}
		}
		for _, n := range b.inputs {
			mark(n, n, n.Shape.Elems(), p.Offset(n))
		}
		for i, op := range ops {
			for _, n := range op.In {
				check(n, fmt.Sprintf("operation %d, %s,", i, op.Attr.Kind()))
			}
			require.Zero(t, p.Workspace[i]%alignment)
			mark(nil, nil, workspace[i], p.Workspace[i])
			for _, n := range op.In { // workspace and operands are apart
				check(n, fmt.Sprintf("operation %d, %s, after its workspace,", i, op.Attr.Kind()))
			}
			mark(op.Out, op.Out, op.Out.Shape.Elems(), p.Offset(op.Out))
		}
		for _, n := range append(outputs, b.inputs...) {
			check(n, "the host")
		}
	}
	require.Greater(t, shared, 250, "plans share memory")
}

// randomOps records up to 40 operations on values chosen at random.
func randomOps(b *Builder, r *rand.Rand) {
	var values []Value
	for i := range 1 + r.IntN(3) {
		values = append(values, b.Input(fmt.Sprintf("x%d", i), 1+r.IntN(4), 1+r.IntN(50)))
	}
	inputs := len(values)
	for range 1 + r.IntN(40) {
		x := values[len(values)-1-r.IntN(min(len(values), 6))]
		s := x.Shape()
		switch r.IntN(8) {
		case 0:
			x = b.Activate(x, ref.ReLU)
		case 1:
			x = b.Softmax(x, 1)
		case 2:
			x = b.Concat(0, x, x)
		case 3:
			x = b.Slice(x, 1, 0, (s[1]+1)/2)
		case 4:
			x = b.Reshape(x, s[1], s[0])
		case 5:
			x = b.Permute(x, 1, 0)
		case 6:
			for _, y := range values {
				if s.HasSuffix(y.Shape()) {
					x = b.Add(x, y)
					break
				}
			}
		case 7:
			x = b.Linear(x, named("w", 1+r.IntN(60), s[1]), LinearOpts{})
		}
		if x.Shape().Elems() < 4000 {
			values = append(values, x)
		}
	}
	values = append(values, b.Scale(values[len(values)-1], 2))
	for i, v := range values {
		if i == len(values)-1 || i >= inputs && v.n.Root().Role == Temp && r.IntN(8) == 0 {
			b.Output(fmt.Sprintf("y%d", i), v)
		}
	}
}

// TestPlanReusesMemory checks the plan's economy: a chain needs two buffers
// however long it is, and one where it computes in place.
func TestPlanReusesMemory(t *testing.T) {
	for name, c := range map[string]struct {
		step    func(b *Builder, x Value) Value
		buffers int
	}{
		"products": {func(b *Builder, x Value) Value { return b.Linear(x, named("w", 64, 64), LinearOpts{}) }, 2},
		"in place": {func(b *Builder, x Value) Value { return b.L2Norm(b.Softmax(x, 1)) }, 1},
		"views":    {func(b *Builder, x Value) Value { return b.L2Norm(b.Reshape(b.Softmax(x, 1), 64, 4)) }, 1},
	} {
		d := &paper{}
		_, err := Build(d, func(b *Builder) {
			x := b.Input("x", 4, 64)
			for range 20 {
				x = b.Reshape(c.step(b, x), 4, 64)
			}
			b.Output("y", x)
		})
		require.NoError(t, err)
		require.Equal(t, (1+c.buffers)*4*64, d.plan.Arena, name)
	}
}

// TestSpread checks that only values which products alone write and read as
// they are get free lines between their rows.
func TestSpread(t *testing.T) {
	wide, narrow := named("wide", 2048, 8), named("narrow", 8, 2048)
	for name, c := range map[string]struct {
		want int
		use  func(b *Builder, h Value) Value
	}{
		"product":  {alignment, func(b *Builder, h Value) Value { return b.Linear(h, narrow, LinearOpts{}) }},
		"view":     {0, func(b *Builder, h Value) Value { return b.Linear(b.Reshape(h, 2, 2, 2048), narrow, LinearOpts{}) }},
		"sum":      {0, func(b *Builder, h Value) Value { return b.Linear(b.Add(h, h), narrow, LinearOpts{}) }},
		"output":   {0, func(b *Builder, h Value) Value { return b.Linear(b.Output("h", h), narrow, LinearOpts{}) }},
		"residual": {0, func(b *Builder, h Value) Value { return b.Linear(b.Input("y", 4, 8), wide, LinearOpts{Residual: h}) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(nil)
			h := b.Linear(b.Input("x", 4, 8), wide, LinearOpts{})
			b.Output("out", c.use(b, h))
			Spread(b.ops)
			require.Equal(t, c.want, h.n.Gap)
			require.Equal(t, 4*(2048+c.want), h.n.Floats())
			require.Zero(t, b.ops[len(b.ops)-1].Out.Gap)
		})
	}
}
