package norm

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

func widths() []int {
	ns := []int{127, 255, 257, 320, 768, 1001, callLen - 1, callLen, callLen + 37, 3*callLen + 5}
	for n := 1; n <= 100; n++ {
		ns = append(ns, n)
	}
	return ns
}

// rowOps are the row functions with their references, weights fixed by n.
var rowOps = []struct {
	name string
	run  func(k *Kernel, dst, x []float32, n int)
	ref  func(x []float32, n int) []float64
	op   func(k *Kernel, p *par.Pool, m, n int) *Rows
	tol  float64
}{
	{"layernorm", func(k *Kernel, dst, x []float32, n int) { w, b := weights(n); k.LayerNorm(dst, x, w, b, n, 1e-5) },
		func(x []float32, n int) []float64 { w, b := weights(n); return ref.LayerNorm(x, w, b, n, 1e-5) },
		func(k *Kernel, p *par.Pool, m, n int) *Rows { return k.NewLayerNorm(p, m, n, 1e-5) }, 2e-7},
	{"softmax", func(k *Kernel, dst, x []float32, n int) { k.Softmax(dst, x, n, n, 0.125) },
		func(x []float32, n int) []float64 { return ref.Softmax(x, n, n, 0.125) },
		func(k *Kernel, p *par.Pool, m, n int) *Rows { return k.NewSoftmax(p, m, n, n, 0.125) }, 3e-7},
	{"logsoftmax", (*Kernel).LogSoftmax, ref.LogSoftmax,
		func(k *Kernel, p *par.Pool, m, n int) *Rows { return k.NewLogSoftmax(p, m, n) }, 2e-7},
	{"l2normalize", (*Kernel).L2Normalize, ref.L2Normalize,
		func(k *Kernel, p *par.Pool, m, n int) *Rows { return k.NewL2Normalize(p, m, n) }, 2e-7},
}

func weights(n int) (w, b []float32) {
	r := rng(n)
	return normal(r, make([]float32, n)), normal(r, make([]float32, n))
}

func TestRowsOnEveryWidth(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range widths() {
			const m = 3
			for _, atEnd := range []bool{true, false} {
				x, y := normal(rng(n), guarded(t, m*n, atEnd)), guarded(t, m*n, atEnd)
				for _, o := range rowOps {
					o.run(k, y, x, n)
					require.LessOrEqual(t, relErr(o.ref(x, n), y), o.tol, "%s of %d", o.name, n)
					alone, in := make([]float32, n), append([]float32{0}, x[n:2*n]...)[1:]
					o.run(k, alone, in, n)
					sameBits(t, y[n:2*n], alone, o.name, "a row alone, at another address")
					o.run(k, in, in, n)
					sameBits(t, alone, in, o.name, "in place")
				}
			}
		}
	})
}

func TestOperationsDontDependOnWorkers(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const m, n = 301, 97
		x := normal(rng(1), make([]float32, m*n))
		w, b := weights(n)
		for _, o := range rowOps {
			want := make([]float32, m*n)
			o.run(k, want, x, n)
			for _, workers := range []int{1, 2, 3} {
				p := par.New(workers)
				op, got := o.op(k, p, m, n), make([]float32, m*n)
				require.Zero(t, testing.AllocsPerRun(20, func() { op.Run(got, x, w, b) }))
				sameBits(t, want, got, o.name, workers)
				p.Close()
			}
		}
	})
}

// A mean 1e4 times the deviation leaves float32 inputs 3 digits of deviation;
// these are exact here, and must come out as in float64.
func TestLayerNormOfLargeMean(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{8, 77, 768} {
			x, r := make([]float32, n), rng(n)
			for i := range x {
				x[i] = 3000.1 + float32(r.IntN(64))/128
			}
			y := make([]float32, n)
			k.LayerNorm(y, x, nil, nil, n, 1e-5)
			require.LessOrEqual(t, relErr(ref.LayerNorm(x, nil, nil, n, 1e-5), y), 5e-7)
		}
	})
}

func TestLayerNormWithoutWeights(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const n = 45
		x, y := normal(rng(1), make([]float32, 4*n)), make([]float32, 4*n)
		w, _ := weights(n)
		k.LayerNorm(y, x, w, nil, n, 1e-6)
		require.LessOrEqual(t, relErr(ref.LayerNorm(x, w, nil, n, 1e-6), y), 2e-7)
		k.LayerNorm(y, x, nil, nil, n, 1e-6)
		require.LessOrEqual(t, relErr(ref.LayerNorm(x, nil, nil, n, 1e-6), y), 2e-7)
	})
}

func TestConstantRowsAreTheBias(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{1, 16, 100} {
			x, y := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i] = 1e6 / 3.0
			}
			w, b := weights(n)
			k.LayerNorm(y, x, w, b, n, 1e-5)
			require.LessOrEqual(t, relErr(wide(b), y), 1e-6)
		}
	})
}

func TestSoftmaxOfMaskedAndBrokenRows(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{2, 17, 50, callLen + 9} {
			row := func(fill, last float32) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = fill
				}
				x[n-1] = last
				return x
			}
			y := make([]float32, n)
			k.Softmax(y, row(-inf, 3), n, n, 1)
			require.EqualValues(t, 1, y[n-1])
			require.Zero(t, y[0])
			k.Softmax(y, row(-1e9, 3), n, n, 1)
			require.EqualValues(t, 1, y[n-1])
			require.Zero(t, y[0])
			for _, x := range [][]float32{row(-inf, -inf), row(1, nan), row(nan, 1), row(1, inf)} {
				k.Softmax(y, x, n, n, 1)
				require.True(t, y[0] != y[0] && y[n-1] != y[n-1], "%v", y[:2])
				k.LogSoftmax(y, x, n)
				require.True(t, y[0] != y[0] && y[n-1] != y[n-1], "%v", y[:2])
			}
			k.LogSoftmax(y, row(-inf, 3), n)
			require.Zero(t, y[n-1])
			require.True(t, math.IsInf(float64(y[0]), -1))
		}
	})
}

func TestSoftmaxOfPartOfARow(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		const n = 40
		for valid := range n + 1 {
			x, y := normal(rng(valid), make([]float32, 2*n)), make([]float32, 2*n)
			for i := range y {
				y[i] = 7
				if i%n >= valid {
					x[i] = float32(math.NaN()) // must not be read
				}
			}
			k.Softmax(y, x, n, valid, 2)
			want := make([]float64, 0, 2*n)
			for i := 0; i < 2*n; i += n {
				if valid > 0 {
					want = append(want, ref.Softmax(x[i:i+valid], valid, valid, 2)...)
				}
				want = append(want, make([]float64, n-valid)...)
			}
			require.LessOrEqual(t, relErr(want, y), 3e-7)
		}
	})
}

func TestL2NormalizeOfZeros(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		y := normal(rng(1), make([]float32, 20))
		k.L2Normalize(y, make([]float32, 20), 20)
		require.Equal(t, make([]float32, 20), y)
	})
}

func TestNormGoldens(t *testing.T) {
	g, s := goldens(t, "norm"), goldens(t, "softmax")
	x := func(g map[string][]float32, op, name string) []float32 {
		v := g["op/"+op+"/"+name]
		require.NotEmpty(t, v, "%s/%s", op, name)
		return v
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		check := func(g map[string][]float32, op string, tol float64, run func(dst, x []float32)) {
			want := x(g, op, "out/out")
			got := make([]float32, len(want))
			run(got, x(g, op, "in/x"))
			e := relErr(wide(want), got)
			t.Logf("%s: %.2g", op, e)
			require.LessOrEqual(t, e, tol, op)
		}
		for op, tol := range map[string]float64{"layernorm": 2e-6, "layernorm_tinyvar": 1.03992935e-4} {
			w := x(g, op, "in/weight")
			check(g, op, tol, func(dst, in []float32) { k.LayerNorm(dst, in, w, x(g, op, "in/bias"), len(w), 1e-5) })
		}
		check(g, "l2normalize", 2e-6, func(dst, in []float32) { k.L2Normalize(dst, in, 9) })
		check(s, "softmax", 2e-6, func(dst, in []float32) { k.Softmax(dst, in, 11, 11, 1) })
		check(s, "softmax_large", 2e-6, func(dst, in []float32) { k.Softmax(dst, in, 7, 7, 1) })
		check(s, "log_softmax", 2e-6, func(dst, in []float32) { k.LogSoftmax(dst, in, 11) })
		for op, c := range map[string]struct {
			n, hw, c, groups int
			eps              float32
		}{"groupnorm_g4_c8": {2, 15, 8, 4, 1e-5}, "groupnorm_g32_c64": {2, 4, 64, 32, 1e-6}, "groupnorm_g1_c6": {2, 16, 6, 1, 1e-5}} {
			p := par.New(1)
			o := k.NewGroupNorm(p, c.n, c.hw, c.c, c.groups, c.eps, ref.None)
			check(g, op, 2e-6, func(dst, in []float32) {
				nhwc := make([]float32, len(in))
				for i := range c.n { // the files are NCHW
					k.Elem().Transpose(nhwc[i*c.hw*c.c:(i+1)*c.hw*c.c], in[i*c.hw*c.c:(i+1)*c.hw*c.c], c.c, c.hw)
				}
				o.Run(nhwc, nhwc, x(g, op, "in/weight"), x(g, op, "in/bias"))
				for i := range c.n {
					k.Elem().Transpose(dst[i*c.hw*c.c:(i+1)*c.hw*c.c], nhwc[i*c.hw*c.c:(i+1)*c.hw*c.c], c.hw, c.c)
				}
			})
			p.Close()
		}
	})
}
