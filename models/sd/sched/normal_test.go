package sched

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPhilox checks the vectors that its authors publish.
// Source: Random123 1.14, tests/kat_vectors, philox4x32 10.
func TestPhilox(t *testing.T) {
	const all = math.MaxUint32
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		require.Equal(t, c.want, philox(c.counter, c.key))
	}
}

// TestNormalValues fixes the generator: pictures of a seed must stay what they
// are. The values were computed apart, from the formulas of Normal's comment.
func TestNormalValues(t *testing.T) {
	want := []float32{-0.665374875, 1.03602386, -1.43388915, 0.423278183, 0.790888846, 0.372348696}
	got := append(drawn(&Normal{Seed: 42}, 4), drawn(&Normal{Seed: 1<<40 + 3, Next: 1 << 34}, 2)...)
	for k := range want {
		require.InDelta(t, want[k], got[k], 1e-6)
	}
}

// TestNormalIsCutAnywhere draws the same numbers in calls of other sizes.
func TestNormalIsCutAnywhere(t *testing.T) {
	whole := drawn(&Normal{Seed: 7}, 100)
	for size := 1; size < 30; size++ {
		g := &Normal{Seed: 7}
		var parts []float32
		for len(parts) < len(whole) {
			parts = append(parts, drawn(g, min(size, len(whole)-len(parts)))...)
		}
		require.Equal(t, whole, parts)
	}
	require.Equal(t, whole[63:], drawn(&Normal{Seed: 7, Next: 63}, 37))
	require.NotEqual(t, whole, drawn(&Normal{Seed: 8}, 100))
	require.NotEqual(t, whole, drawn(&Normal{Seed: 7 + 1<<32}, 100))
}

// TestMoments checks both generators' mean, variance, kurtosis, and the
// correlation of neighbours, within five standard errors.
func TestMoments(t *testing.T) {
	const n = 1 << 20
	for name, g := range map[string]Source{"own": &Normal{Seed: 5}, "torch": NewTorch(5)} {
		var mean, square, fourth, next float64
		x := drawn(g, n)
		for k, v := range x {
			v := float64(v)
			mean += v / n
			square += v * v / n
			fourth += v * v * v * v / n
			next += v * float64(x[(k+1)%n]) / n
		}
		se := 1 / math.Sqrt(n)
		require.InDelta(t, 0, mean, 5*se, name)
		require.InDelta(t, 1, square, 5*se*math.Sqrt2, name)
		require.InDelta(t, 3, fourth, 5*se*math.Sqrt(96), name)
		require.InDelta(t, 0, next, 5*se, name)
	}
}

func BenchmarkFill(b *testing.B) {
	x := make([]float32, 4*64*64)
	for name, g := range map[string]Source{"own": &Normal{}, "torch": NewTorch(0)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			b.ReportAllocs()
			for b.Loop() {
				g.Fill(x)
			}
		})
	}
}
