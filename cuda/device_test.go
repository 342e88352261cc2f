//go:build cuda && linux

package cuda

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"

	"syntic/tensor/graph"
	"syntic/weights"
)

func device(t *testing.T, o Options) *Device {
	t.Helper()
	need(t)
	o.Driver = driver
	d, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

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

// double records y = 2x.
func double(n int) func(b *graph.Builder) {
	return func(b *graph.Builder) { b.Output("y", b.Scale(b.Input("x", n), 2)) }
}

// TestGraphs checks that a program becomes a captured graph, and that one stays a
// list where that isn't wanted or the driver can't.
func TestGraphs(t *testing.T) {
	graphs := func(o Options) bool {
		p, err := graph.Build(device(t, o), double(3))
		require.NoError(t, err)
		p.F32("x")[1] = 4
		require.NoError(t, p.Run(t.Context()))
		require.Equal(t, []float32{0, 8, 0}, p.F32("y"))
		require.NoError(t, p.Close())
		d := device(t, o)
		r, err := d.Bind(&graph.Plan{}, nil)
		require.NoError(t, err)
		defer r.Close()
		return r.(*runner).replay.Graph()
	}
	require.True(t, graphs(Options{}))
	require.False(t, graphs(Options{NoGraph: true}))
	t.Setenv("CUDA_EMU_NO_GRAPHS", "1")
	require.False(t, graphs(Options{}))
}

// TestMemoryIsCountedAndFreed builds programs that share weights and states, and
// finds the GPU's memory as it was when they are gone.
func TestMemoryIsCountedAndFreed(t *testing.T) {
	d := device(t, Options{})
	before := free(t, d)
	s, w := graph.NewState("cache", 1, 2, 32), ones(t, "w", 32, 32)
	threes := slices.Repeat([]float32{3}, 32)
	build := func() *graph.Program {
		p, err := graph.Build(d, func(b *graph.Builder) {
			c := b.CacheWrite(s, b.Input("x", 1, 1, 32), 0, b.InputI32("at", 1))
			b.Output("y", b.Linear(c, w, graph.LinearOpts{}))
			b.Output("z", b.Mul(c, b.Const(threes, 32)))
		})
		require.NoError(t, err)
		return p
	}
	first, second := build(), build()
	require.Equal(t, 4*32*32, d.WeightBytes())
	require.Equal(t, 4*2*32, d.held.states)
	first.F32("x")[0] = 5
	require.NoError(t, first.Run(t.Context()))
	require.NoError(t, first.Close())
	second.I32("at")[0] = 1
	require.NoError(t, second.Run(t.Context()))
	require.Equal(t, float32(5), second.F32("y")[0])
	require.Equal(t, float32(15), second.F32("z")[0])
	require.NoError(t, second.Close())
	require.Empty(t, d.states)
	require.Equal(t, usage{weights: 4 * 32 * 32}, d.held)
	require.Equal(t, before-4*32*32, free(t, d))
}

// TestOutOfMemory checks that too large a program is an error of Build that says
// what is wanted and why, and leaves nothing behind.
func TestOutOfMemory(t *testing.T) {
	t.Setenv("CUDA_EMU_MEMORY", "1000000")
	d := device(t, Options{})
	_, err := graph.Build(d, double(200_000))
	require.ErrorContains(t, err, "CUDA_ERROR_OUT_OF_MEMORY")
	require.ErrorContains(t, err, "1.5 MiB more are wanted, 1.0 MiB of 1.0 MiB are free")
	require.ErrorContains(t, err, "0.8 MiB  Unary none [200000]")
	require.Equal(t, usage{}, d.held)
	_, err = graph.Build(d, func(b *graph.Builder) {
		b.Output("y", b.Linear(b.Input("x", 1, 600), ones(t, "layer.weight", 600, 600), graph.LinearOpts{}))
	})
	require.ErrorContains(t, err, "layer.weight")
	require.ErrorContains(t, err, "1.4 MiB more are wanted")
	p, err := graph.Build(d, double(1000))
	require.NoError(t, err)
	require.NoError(t, p.Close())
	require.Equal(t, 1_000_000, free(t, d))
}

// TestLostContext has a kernel fail as an illegal address does: the context is
// closed, everything says so, and a new device works.
func TestLostContext(t *testing.T) {
	d := device(t, Options{})
	p, err := graph.Build(d, double(3))
	require.NoError(t, err)
	t.Setenv("CUDA_EMU_FAIL", "unary")
	err = p.Run(t.Context())
	require.ErrorContains(t, err, "CUDA_ERROR_ILLEGAL_ADDRESS")
	require.ErrorContains(t, err, "open the device anew")
	require.NoError(t, os.Unsetenv("CUDA_EMU_FAIL"))
	require.ErrorContains(t, p.Run(t.Context()), "is closed after")
	_, err = graph.Build(d, double(3))
	require.ErrorContains(t, err, "is closed after")
	require.NoError(t, p.Close())
	require.NoError(t, d.Close())
	p, err = graph.Build(device(t, Options{}), double(3))
	require.NoError(t, err)
	require.NoError(t, p.Run(t.Context()))
	require.NoError(t, p.Close())
}

// TestOrdinals opens the second GPU of two and no third.
func TestOrdinals(t *testing.T) {
	d := device(t, Options{Ordinal: 1})
	require.Equal(t, "cuda:1 CPU emulation 1", d.Name())
	p, err := graph.Build(d, double(2))
	require.NoError(t, err)
	require.NoError(t, p.Run(t.Context()))
	require.NoError(t, p.Close())
	for _, n := range []int{-1, 2} {
		_, err := New(Options{Ordinal: n, Driver: driver})
		require.ErrorContains(t, err, "the driver shows 2")
	}
	f, err := Probe()
	require.NoError(t, err)
	require.Equal(t, "12.9", f.Driver)
	require.Equal(t, []string{"CPU emulation 0", "CPU emulation 1"}, []string{f.GPUs[0].Name, f.GPUs[1].Name})
}

// TestWideHeads names the limit of the kernels.
func TestWideHeads(t *testing.T) {
	_, err := graph.Build(device(t, Options{}), func(b *graph.Builder) {
		x := b.Input("x", 1, 2, 513)
		b.Output("y", b.Attention(x, x, x, graph.AttentionOpts{Heads: 1, D: 513}))
	})
	require.ErrorContains(t, err, "go up to 512")
}

// free returns the GPU's free memory.
func free(t *testing.T, d *Device) int {
	t.Helper()
	leave, err := d.enter()
	defer leave()
	require.NoError(t, err)
	n, _, err := cu.MemInfo()
	require.NoError(t, err)
	return int(n)
}
