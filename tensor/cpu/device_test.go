package cpu

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/graph"
	"syntic/weights"
)

// ones returns a loaded parameter of ones.
func ones(t *testing.T, name string, shape ...int) *graph.Param {
	t.Helper()
	p := graph.NewParam(shape...)
	p.Name = name
	info := weights.Info{Name: name, Shape: shape}
	for range p.Shape.Elems() {
		info.Data = binary.LittleEndian.AppendUint32(info.Data, math.Float32bits(1))
	}
	require.NoError(t, p.Load(info))
	return p
}

// TestWeightsArePackedOnce checks that programs of one device share the packed
// form, and that each layout is a form of its own.
func TestWeightsArePackedOnce(t *testing.T) {
	d, err := New(Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	w := ones(t, "w", 32, 32)
	build := func(rows int, layout graph.Layout) *graph.Program {
		p, err := graph.Build(d, func(b *graph.Builder) {
			b.Output("y", b.Linear(b.Input("x", rows, 32), w, graph.LinearOpts{Layout: layout}))
		})
		require.NoError(t, err)
		return p
	}
	first := build(1, graph.NK)
	once := d.WeightBytes()
	require.GreaterOrEqual(t, once, 4*32*32)
	require.NoError(t, first.Close())
	second := build(7, graph.NK)
	require.Equal(t, once, d.WeightBytes())
	require.NoError(t, build(1, graph.KN).Close())
	require.Greater(t, d.WeightBytes(), once)
	for i := range second.F32("x") {
		second.F32("x")[i] = 1
	}
	require.NoError(t, second.Run(t.Context()))
	require.Equal(t, float32(32), second.F32("y")[0])
}

// TestStatesGoWithTheirPrograms checks that a state lives as long as a program
// that uses it, so that a decoder which drops its caches frees them.
func TestStatesGoWithTheirPrograms(t *testing.T) {
	d, err := New(Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	s := graph.NewState("cache", 1, 2, 3)
	build := func() *graph.Program {
		p, err := graph.Build(d, func(b *graph.Builder) {
			c := b.CacheWrite(s, b.Input("x", 1, 1, 3), 0, b.InputI32("at", 1))
			b.Output("y", b.Scale(c, 1))
		})
		require.NoError(t, err)
		return p
	}
	first, second := build(), build()
	copy(first.F32("x"), []float32{1, 2, 3})
	require.NoError(t, first.Run(t.Context()))
	require.NoError(t, first.Close())
	second.I32("at")[0] = 1
	require.NoError(t, second.Run(t.Context()))
	require.Equal(t, []float32{1, 2, 3, 0, 0, 0}, second.F32("y"))
	require.Len(t, d.states, 1)
	require.NoError(t, second.Close())
	require.Empty(t, d.states)
}

// TestTrimFreesWhatNoProgramUses, and what a later program needs is made again.
func TestTrimFreesWhatNoProgramUses(t *testing.T) {
	d, err := New(Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	w, v := ones(t, "w", 32, 32), ones(t, "v", 32, 32)
	record := func(w *graph.Param) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			b.Output("y", b.Linear(b.Input("x", 1, 32), w, graph.LinearOpts{Bias: ones(t, "bias", 32)}))
		}
	}
	need, err := graph.Measure(d, record(w))
	require.NoError(t, err)
	require.Zero(t, d.WeightBytes())
	first, err := graph.Build(d, record(w))
	require.NoError(t, err)
	require.Equal(t, 4*32*32+4*32, d.WeightBytes())
	require.Equal(t, d.WeightBytes()+first.ArenaBytes(), graph.Bytes(need))
	require.Equal(t, 2.*32*32, need.FLOPs)
	second, err := graph.Build(d, record(v))
	require.NoError(t, err)
	require.NoError(t, first.Close())
	d.Trim()
	require.Equal(t, 4*32*32+4*32, d.WeightBytes())
	again, err := graph.Build(d, record(w))
	require.NoError(t, err)
	for _, p := range []*graph.Program{second, again} {
		for i := range p.F32("x") {
			p.F32("x")[i] = 1
		}
		require.NoError(t, p.Run(t.Context()))
		require.Equal(t, float32(33), p.F32("y")[0])
		require.NoError(t, p.Close())
	}
	d.Trim()
	require.Zero(t, d.WeightBytes())
}

// TestFailedBuildLeavesNothing: a weight that can't be read ends the build with
// its name, and those loaded before it are no longer in use.
func TestFailedBuildLeavesNothing(t *testing.T) {
	d, err := New(Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	w, missing := ones(t, "w", 32, 32), graph.NewParam(32, 32)
	missing.Name = "layer.weight"
	_, err = graph.Build(d, func(b *graph.Builder) {
		x := b.Linear(b.Input("x", 1, 32), w, graph.LinearOpts{})
		b.Output("y", b.Linear(x, missing, graph.LinearOpts{}))
	})
	require.ErrorContains(t, err, "layer.weight: not loaded")
	d.Trim()
	require.Zero(t, d.WeightBytes())
}
