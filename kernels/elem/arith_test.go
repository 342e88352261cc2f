package elem

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

func TestArithmetic(t *testing.T) {
	ops := []struct {
		name string
		run  func(k *Kernel, dst, x, y []float32)
		want func(x, y float64) float64
	}{
		{"add", (*Kernel).Add, func(x, y float64) float64 { return x + y }},
		{"sub", (*Kernel).Sub, func(x, y float64) float64 { return x - y }},
		{"mul", (*Kernel).Mul, func(x, y float64) float64 { return x * y }},
		{"scale", func(k *Kernel, dst, x, _ []float32) { k.Scale(dst, x, 1.5) }, func(x, _ float64) float64 { return 1.5 * x }},
		{"add scalar", func(k *Kernel, dst, x, _ []float32) { k.AddScalar(dst, x, -3) }, func(x, _ float64) float64 { return x - 3 }},
		{"axpy", func(k *Kernel, dst, x, y []float32) {
			if len(y) > 0 && &dst[0] != &y[0] {
				copy(dst, y)
			}
			k.Axpy(dst, x, 0.5)
		}, func(x, y float64) float64 { return y + 0.5*x }},
	}
	inf := float32(math.Inf(1))
	eachLevel(t, func(t *testing.T, k *Kernel) {
		px, py, pd := newPage(t, 4*(2*callLen+64)), newPage(t, 4*(2*callLen+64)), newPage(t, 4*(2*callLen+64))
		for _, n := range lengths() {
			for _, atEnd := range []bool{true, false} {
				x, y, dst := normal(rng(n), px.floats(n, atEnd)), normal(rng(n+1), py.floats(n, atEnd)), pd.floats(n, atEnd)
				if n > 3 {
					x[n-1], x[n-2], x[n-3], x[0] = inf, float32(math.NaN()), negZero, 1e-42
				}
				for _, o := range ops {
					o.run(k, dst, x, y)
					for i, v := range x {
						if got, want := dst[i], o.want(float64(v), float64(y[i])); ulps(got, want) > 0.5 {
							require.Failf(t, "wrong", "%s at %d of %d: want %g, got %g", o.name, i, n, want, got)
						}
					}
					if o.name != "axpy" {
						in := append([]float32(nil), x...)
						o.run(k, in, in, y)
						sameBits(t, dst, in, o.name, "in place")
					}
					in := append([]float32(nil), y...)
					o.run(k, in, x, in)
					sameBits(t, dst, in, o.name, "over the second operand")
				}
			}
		}
	})
}

func TestScaleKeepsTheSignOfZero(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		x := []float32{negZero, 0}
		k.Scale(x, x, 2)
		sameBits(t, []float32{negZero, 0}, x)
	})
}

func TestRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{1, 3, 16, 33, 320, callLen + 1} {
			x, row := normal(rng(n), make([]float32, 3*n)), normal(rng(1), newPage(t, 4*n).floats(n, true))
			sum, product := make([]float32, 3*n), make([]float32, 3*n)
			k.AddRow(sum, x, row)
			k.MulRow(product, x, row)
			for i, v := range x {
				require.Equal(t, v+row[i%n], sum[i])
				require.Equal(t, v*row[i%n], product[i])
			}
		}
		require.PanicsWithValue(t, "elem: 5 elements are no whole rows of 3", func() { k.AddRow(make([]float32, 5), make([]float32, 5), make([]float32, 3)) })
		require.PanicsWithValue(t, "elem: length 2, want 3", func() { k.Add(make([]float32, 2), make([]float32, 3), make([]float32, 3)) })
	})
}

func TestMethodsDontAllocate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		x, y, b := normal(rng(1), make([]float32, 3000)), make([]float32, 3000), make([]byte, 6000)
		row, idx, ids := x[:300], make([]int32, 5), []int32{1, 2, 9}
		require.Zero(t, testing.AllocsPerRun(20, func() {
			k.Act(y, x, ref.GELU)
			k.Exp(y, x)
			k.ScaleAdd(y, x, row, row, ref.SiLU)
			k.GEGLU(y[:1500], x, 300)
			k.AddRow(y, x, row)
			k.Axpy(y, x, 2)
			k.Scale(y, x, 2)
			k.TopK(idx, x)
			y[0] = k.Max(x) + float32(k.ArgMax(x)) + float32(k.Sum(x)+k.SumSquares(x))
			k.ToF16(b, x)
			k.FromBF16(y, b)
			k.GatherF16(y[:900], b, 300, ids)
			k.Transpose(y, x, 30, 100)
			k.Permute(y, x, [4]int{2, 3, 50, 10}, [4]int{0, 3, 1, 2})
			Nearest(y[:4*300], x[:300], 1, 10, 10, 3, 20, 20)
		}))
	})
}

func TestUnaryDoesNotDependOnWorkers(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const n = 3*ChunkLen + 77
		x, want := normal(rng(1), make([]float32, n)), make([]float32, n)
		k.Act(want, x, ref.GELU)
		for _, workers := range []int{1, 2, 3} {
			p := par.New(workers)
			u, got := k.NewUnary(p, n, ref.GELU), make([]float32, n)
			require.Zero(t, testing.AllocsPerRun(20, func() { u.Run(got, x) }))
			sameBits(t, want, got, workers)
			p.Close()
		}
	})
}

func TestSplitCoversTheRangeOnce(t *testing.T) {
	p := par.New(3)
	defer p.Close()
	for _, n := range []int{0, 1, 9, 10, 11, 95} {
		hits := make([]int32, n)
		NewSplit(p, n, 10, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				hits[i]++
			}
		}).Run()
		for i, h := range hits {
			require.EqualValues(t, 1, h, "%d of %d", i, n)
		}
	}
}
