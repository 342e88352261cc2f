package cpu

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
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

// halves returns a loaded parameter of random float16 values below 1.
func halves(t *testing.T, r *rand.Rand, shape ...int) *graph.Param {
	t.Helper()
	p := graph.NewParam(shape...)
	info := weights.Info{Shape: shape, DType: weights.F16}
	for range p.Shape.Elems() {
		info.Data = binary.LittleEndian.AppendUint16(info.Data, uint16(r.Uint32())&0xbbff)
	}
	require.NoError(t, p.Load(info))
	return p
}

// TestKeepLosesNothing: a checkpoint's halves, kept as halves, take half the memory
// and give the bits that they give as float32.
func TestKeepLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w, v := halves(t, r, 70, 300), halves(t, r, 30, 300)
	stack := graph.Stack(w, v)
	taps, point := halves(t, r, 48, 40, 3, 3), halves(t, r, 48, 40, 1, 1)
	x := make([]float32, 9*12*40) // 14 rows of 300 fit
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	each(t, func(t *testing.T, isa string) {
		results, bytes := [2][]float32{}, [2]int{}
		for i, keep := range []bool{false, true} {
			d, err := New(Options{ISA: isa, Threads: 2, Keep: keep})
			require.NoError(t, err)
			p, err := graph.Build(d, func(b *graph.Builder) {
				for _, rows := range []int{1, 3, 14} {
					name := strconv.Itoa(rows)
					b.Output("y"+name, b.Linear(b.Input("x"+name, rows, 300), stack, graph.LinearOpts{}))
				}
				z := b.Input("z", 1, 9, 12, 40)
				b.Output("taps", b.Conv2D(z, taps, graph.ConvOpts{Pad: graph.Pad{Top: 1, Bottom: 1, Left: 1, Right: 1}}))
				b.Output("point", b.Conv2D(z, point, graph.ConvOpts{}))
			})
			require.NoError(t, err)
			for _, in := range []string{"x1", "x3", "x14", "z"} {
				copy(p.F32(in), x[:len(p.F32(in))])
			}
			require.NoError(t, p.Run(t.Context()))
			for _, out := range []string{"y1", "y3", "y14", "taps", "point"} {
				results[i] = append(results[i], p.F32(out)...)
			}
			bytes[i] = d.WeightBytes()
			require.NoError(t, p.Close())
			require.NoError(t, d.Close())
		}
		require.Equal(t, results[0], results[1])
		require.Equal(t, bytes[0], 2*bytes[1])
	})
}
