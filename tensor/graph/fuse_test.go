package graph

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

// TestFuse checks which operations are left. That what is left computes the
// same is the compliance suite's matter.
func TestFuse(t *testing.T) {
	w := named("w", 4, 4)
	for name, c := range map[string]struct {
		record func(b *Builder, x, y Value) Value
		want   []string
	}{
		"sum":                {func(b *Builder, x, y Value) Value { return b.Add(y, x) }, []string{"Linear"}},
		"sum from the right": {func(b *Builder, x, y Value) Value { return b.Add(x, y) }, []string{"Linear"}},
		"activation":         {func(b *Builder, _, y Value) Value { return b.Activate(y, ref.GELU) }, []string{"Linear"}},
		"sum and activation": {func(b *Builder, x, y Value) Value { return b.Activate(b.Add(y, x), ref.GELU) }, []string{"Linear"}},
		"activation and sum": {func(b *Builder, x, y Value) Value { return b.Add(b.Activate(y, ref.GELU), x) }, []string{"Linear", "Add"}},
		"second sum":         {func(b *Builder, x, y Value) Value { return b.Add(b.Add(y, x), x) }, []string{"Linear", "Add"}},
		"product":            {func(b *Builder, x, y Value) Value { return b.Mul(y, x) }, []string{"Linear", "Mul"}},
		"scaled":             {func(b *Builder, _, y Value) Value { return b.Scale(y, 2) }, []string{"Linear", "Unary none"}},
		"with itself":        {func(b *Builder, _, y Value) Value { return b.Add(y, y) }, []string{"Linear", "Add"}},
		"read by another":    {func(b *Builder, _, y Value) Value { return b.Add(b.Activate(y, ref.GELU), b.Softmax(y, 1)) }, []string{"Linear", "Unary gelu", "Softmax", "Add"}},
		"read through a view": {func(b *Builder, _, y Value) Value {
			return b.Add(b.Activate(y, ref.GELU), b.Reshape(b.Softmax(b.Reshape(y, 8), 1), 2, 4))
		}, []string{"Linear", "Unary gelu", "Softmax", "Add"}},
		"a weight":             {func(b *Builder, _, y Value) Value { return b.AddParam(y, named("p", 2, 4)) }, []string{"Linear", "Add"}},
		"a later value":        {func(b *Builder, x, y Value) Value { return b.Add(y, b.Scale(x, 2)) }, []string{"Linear", "Unary none", "Add"}},
		"an earlier product":   {func(b *Builder, x, y Value) Value { return b.Add(y, b.Linear(x, w, LinearOpts{})) }, []string{"Linear", "Linear"}},
		"nothing reads a norm": {func(b *Builder, x, y Value) Value { b.L2Norm(x); return y }, []string{"Linear"}},
		"a state": {func(b *Builder, _, y Value) Value {
			s := NewState("s", 1, 2, 4)
			held := b.Reshape(b.State(s), 2, 4)
			b.CacheWrite(s, b.Input("new", 1, 1, 4), 0, b.InputI32("at", 1))
			return b.Add(y, held)
		}, []string{"Linear", "CacheWrite", "Add"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.ElementsMatch(t, c.want, kinds(t, func(b *Builder) {
				x := b.Input("x", 2, 4)
				b.Output("z", c.record(b, x, b.Linear(x, w, LinearOpts{})))
			}))
		})
	}
}

// TestFuseKeepsOutputs checks that a value which the host reads stays, also when
// it is read through a view.
func TestFuseKeepsOutputs(t *testing.T) {
	for _, view := range []bool{false, true} {
		require.Equal(t, []string{"Linear", "Unary relu"}, kinds(t, func(b *Builder) {
			y := b.Linear(b.Input("x", 2, 4), named("w", 4, 4), LinearOpts{})
			z := b.Activate(y, ref.ReLU)
			if view {
				y = b.Reshape(y, 8)
			}
			b.Output("y", y)
			b.Output("z", z)
		}))
	}
}
