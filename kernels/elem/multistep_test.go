package elem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

// coefficients draws some, about a third of them 0.
func coefficients(r *rand.Rand, tensors int) *ref.Multistep {
	draw := func() float64 { return r.NormFloat64() * float64(min(r.IntN(3), 1)) }
	m := ref.NewMultistep(tensors)
	m.Guidance, m.Estimate, m.Scale = float32(r.NormFloat64()), [2]float64{draw(), draw()}, draw()
	if r.IntN(2) == 0 {
		m.Limit = r.Float64()
	}
	for _, row := range m.Next {
		for j := range row {
			row[j] = draw()
		}
	}
	return m
}

// TestMultistep compares with the specification, bit by bit, in parts.
func TestMultistep(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		tensors, halves, n := 2+r.IntN(ref.MaxTensors-1), 1+r.IntN(2), 1+r.IntN(1200)
		m := coefficients(r, tensors)
		px, po, pi, pz := newPage(t, 4*tensors*n), newPage(t, 4*halves*n), newPage(t, 4*n), newPage(t, 4*n)
		x, o, in := normal(r, px.floats(tensors*n, true)), normal(r, po.floats(halves*n, true)), pi.floats(n, true)
		var z []float32
		if seed%2 == 0 {
			z = normal(r, pz.floats(n, true))
		}
		for j := range m.Next { // what is left out may hold anything
			if k := 3 + j - 1; j > 0 && !slices.ContainsFunc(m.Next, func(row []float64) bool { return row[k] != 0 }) {
				x[j*n+r.IntN(n)] = float32(math.NaN())
			}
		}
		x[r.IntN(n)], o[r.IntN(n)] = float32(math.Inf(1)), float32(math.NaN())
		wantX, wantIn := slices.Clone(x), slices.Clone(in)
		m.Run(wantX, wantIn, o, z)
		cut := r.IntN(n + 1)
		Multistep(m, x, in, o, z, n, cut, n)
		Multistep(m, x, in, o, z, n, 0, cut)
		sameBits(t, wantX, x, "x of seed", seed)
		sameBits(t, wantIn, in, "in of seed", seed)
	}
}

func TestMultistepByHand(t *testing.T) {
	m := ref.NewMultistep(2)
	m.Guidance, m.Estimate, m.Limit, m.Scale = 3, [2]float64{1, -2}, 4, 0.5
	m.Next[0] = []float64{1, 10, 100, 1000, 10000}
	m.Next[1] = []float64{0, 0, 1, 0, 0}
	x, in := []float32{1, 2, 3, 4}, make([]float32, 2)
	o, z := []float32{1, 1, 2, 0}, []float32{5, 6}
	m.Run(x, in, o, z)
	// y = 1+3·1, 1-3·1; e = 1-8 held at -4, 2+4 held at 4
	require.Equal(t, []float32{1 + 40 - 400 + 3000 + 50000, 2 - 20 + 400 + 4000 + 60000, -4, 4}, x)
	require.Equal(t, []float32{x[0] / 2, x[1] / 2}, in)
}

func TestMultistepWords(t *testing.T) {
	m := coefficients(rand.New(rand.NewPCG(1, 1)), 5)
	words, again := make([]int32, ref.MultistepWords(5)), ref.NewMultistep(5)
	m.Put(words)
	again.Get(words)
	require.Equal(t, m, again)
}

func TestNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, x := range [][]float32{nil, {0}, {inf}, {1, nan, -inf, 3.4e38, 1e-45}, slices.Repeat([]float32{nan, 1}, 1000)} {
		require.Equal(t, ref.NotFinite(x), NotFinite(x))
	}
	require.Equal(t, 2, NotFinite([]float32{1, nan, -inf, 3.4e38, 1e-45}))
}

func TestMultistepAllocations(t *testing.T) {
	m := coefficients(rand.New(rand.NewPCG(1, 2)), ref.MaxTensors)
	x, o := make([]float32, ref.MaxTensors*700), make([]float32, 2*700)
	require.Zero(t, testing.AllocsPerRun(10, func() { Multistep(m, x, o, o, o, 700, 0, 700) }))
}

func BenchmarkMultistep(b *testing.B) {
	const n = 8 * 64 * 64 * 4 // eight pictures of 512×512
	for _, tensors := range []int{2, 7} {
		b.Run(fmt.Sprint(tensors), func(b *testing.B) {
			m := ref.NewMultistep(tensors)
			m.Guidance, m.Estimate, m.Scale = 7.5, [2]float64{1, -0.1}, 1
			for r, row := range m.Next {
				row[min(r, 1)+1], row[0] = 1, 0.5
				for j := 3; r == 0 && j < tensors; j++ {
					row[j] = 0.1
				}
			}
			x, in, o := make([]float32, tensors*n), make([]float32, 2*n), make([]float32, 2*n)
			b.SetBytes(4 * int64(len(x)+len(in)+len(o)))
			for b.Loop() {
				Multistep(m, x, in, o, nil, n, 0, n)
			}
		})
	}
}
