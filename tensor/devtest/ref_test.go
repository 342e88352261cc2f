package devtest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/graph"
)

// TestReferenceOnItself runs the parts of the suite that compare a device with
// itself: fused with unfused programs, batches with single items.
func TestReferenceOnItself(t *testing.T) {
	s := Suite{Open: func(int) (graph.Device, error) { return NewRef(), nil }}
	t.Run("random programs", s.random)
	t.Run("batch", s.batch)
	t.Run("shared cache", s.sharedCache)
	t.Run("cancellation", s.cancellation)
}

// TestReferenceByHand checks operations that kernels/ref doesn't specify
// against values worked out by hand.
func TestReferenceByHand(t *testing.T) {
	k := newKit(1)
	w, b := k.weight("w", 2), k.weight("b", 2)
	wv, err := w.Float32s()
	require.NoError(t, err)
	bv, err := b.Float32s()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		in     []float32
		shape  []int
		record func(b *graph.Builder, x graph.Value) graph.Value
		want   []float32
	}{
		"layer norm": {[]float32{1, 3}, []int{1, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.LayerNorm(x, w, b, 3) }, []float32{-0.5*wv[0] + bv[0], 0.5*wv[1] + bv[1]}},
		"group norm": {[]float32{1, 9, 3, 9}, []int{1, 2, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.GroupNorm(x, w, b, 2, 3, 0) }, []float32{-0.5*wv[0] + bv[0], bv[1], 0.5*wv[0] + bv[0], bv[1]}},
		"softmax":    {[]float32{0, float32(math.Log(3))}, []int{1, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Softmax(x, 2) }, []float32{0.1, 0.9}},
		"log":        {[]float32{0, float32(math.Log(3))}, []int{1, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.LogSoftmax(x) }, []float32{float32(math.Log(0.25)), float32(math.Log(0.75))}},
		"normalizer": {[]float32{1, 1, 1 + float32(math.Log(0.5))}, []int{1, 3}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Normalizer(x) }, []float32{1, 2.5}},
		"unit":       {[]float32{3, 4, 0, 0}, []int{2, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.L2Norm(x) }, []float32{0.6, 0.8, 0, 0}},
		"geglu":      {[]float32{2, -1, 0, 1}, []int{1, 4}, func(g *graph.Builder, x graph.Value) graph.Value { return g.GEGLU(x) }, []float32{0, -0.8413447}},
		"turn":       {[]float32{1, 2, 3, 4, 5, 6}, []int{2, 3}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Permute(x, 1, 0) }, []float32{1, 4, 2, 5, 3, 6}},
		"turn 3":     {[]float32{1, 2, 3, 4, 5, 6}, []int{1, 2, 3}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Permute(x, 2, 0, 1) }, []float32{1, 4, 2, 5, 3, 6}},
		"upsample":   {[]float32{1, 2, 3}, []int{1, 1, 3, 1}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Upsample(x, 1, 4) }, []float32{1, 1, 2, 3}},
		"slice":      {[]float32{1, 2, 3, 4, 5, 6}, []int{2, 3}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Slice(x, 1, 1, 3) }, []float32{2, 3, 5, 6}},
		"concat":     {[]float32{1, 2, 3, 4}, []int{2, 2}, func(g *graph.Builder, x graph.Value) graph.Value { return g.Concat(1, x, g.Slice(x, 1, 0, 1)) }, []float32{1, 2, 1, 3, 4, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := graph.Build(NewRef(), func(g *graph.Builder) { g.Output("y", c.record(g, g.Input("x", c.shape...))) })
			require.NoError(t, err)
			copy(p.F32("x"), c.in)
			require.NoError(t, p.Run(t.Context()))
			require.InDeltaSlice(t, c.want, p.F32("y"), 1e-6)
		})
	}
}
