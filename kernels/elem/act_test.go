package elem

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

// functions lists every unary function with its reference and its greatest
// error, in units in the last place, over all finite float32. Where the
// result is under 1.2e-36 the error is below 1e-43 instead: x·σ(x) has a
// subnormal factor there. gelu_new's rounding of its cubic grows e-fold where
// the result is small: its error is 2e-7 of |x| and less.
var functions = []struct {
	name string
	run  func(k *Kernel, dst, x []float32)
	ref  func(float64) float64
	ulp  float64
}{
	{"relu", act(ref.ReLU), ref.ReLU.Apply, 0},
	{"quick_gelu", act(ref.QuickGELU), ref.QuickGELU.Apply, 3.2},
	{"gelu", act(ref.GELU), ref.GELU.Apply, 6.2},
	{"gelu_new", act(ref.GELUTanh), geluTanhExact, 200},
	{"silu", act(ref.SiLU), ref.SiLU.Apply, 3.1},
	{"sigmoid", act(ref.Sigmoid), ref.Sigmoid.Apply, 2.4},
	{"tanh", act(ref.Tanh), ref.Tanh.Apply, 2.6},
	{"exp", (*Kernel).Exp, math.Exp, 1},
	{"log", (*Kernel).Log, math.Log, 1},
}

func act(a ref.Act) func(k *Kernel, dst, x []float32) {
	return func(k *Kernel, dst, x []float32) { k.Act(dst, x, a) }
}

// geluTanhExact is ref.GELUTanh with the digits that 1 + tanh(u) loses for
// negative x, by 1 + tanh(u) = 2e/(1+e), e = e^2u.
func geluTanhExact(x float64) float64 {
	if x > -3 || math.IsInf(x, -1) {
		return ref.GELUTanh.Apply(x)
	}
	u := math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x)
	e := math.Exp(2 * u)
	return x * e / (1 + e)
}

// One float32 in 4093 (all of them take minutes), with every exponent and
// sign, and both sides of each place where a function changes its form.
func TestFunctionsOverAllFloats(t *testing.T) {
	stride := uint64(4093)
	if testing.Short() {
		stride = 65521
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, f := range functions {
			t.Run(f.name, func(t *testing.T) {
				x, y := make([]float32, 0, callLen), make([]float32, callLen)
				worst, at := 0.0, float32(0)
				flush := func() {
					f.run(k, y[:len(x)], x)
					for i, v := range x {
						want := f.ref(float64(v))
						if math.Abs(want) < 1.2e-36 && math.Abs(float64(y[i])-want) < 1e-43 {
							continue
						}
						if e := ulps(y[i], want); !(e <= worst) {
							worst, at = e, v
						}
					}
					x = x[:0]
				}
				for b := uint64(0); b < 1<<32; b += stride {
					v := math.Float32frombits(uint32(b))
					if v-v == 0 {
						x = append(x, v)
					}
					if len(x) == cap(x) {
						flush()
					}
				}
				for _, c := range []float32{0, 0.25, 0.5, 0.75, 1, 1.5, 2, 5, 10, 14.5, 88, 88.7, 89, 103.9, 104, 200} {
					for _, s := range []float32{1, -1} {
						x = append(x, s*c, s*math.Nextafter32(c, 1000), s*math.Nextafter32(c, -1000))
					}
				}
				flush()
				t.Logf("greatest error %.3g ulp at %g", worst, at)
				require.LessOrEqual(t, worst, f.ulp, "at %g", at)
			})
		}
	})
}

func TestFunctionsAtSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	signalling := math.Float32frombits(0x7fa00123)
	special := []float32{0, negZero, inf, -inf, nan, signalling, -nan, 1e-45, -1e-45, 1e-39, -1e-39, 88, -88, math.MaxFloat32, -math.MaxFloat32}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, f := range functions {
			for n := 1; n <= 33; n += 4 { // in the tail and in a full vector
				for _, v := range special {
					x := make([]float32, n)
					x[n-1] = v
					y := make([]float32, n)
					f.run(k, y, x)
					want := f.ref(float64(v))
					if got := y[n-1]; math.IsNaN(want) != (got != got) || math.IsInf(want, 0) && float64(got) != want ||
						!math.IsInf(want, 0) && math.Abs(want) <= math.MaxFloat32 && math.Abs(float64(got)-want) > 1e-6*math.Abs(want)+1e-43 {
						require.Failf(t, "wrong value", "%s(%g) of %d: want %g, got %g", f.name, v, n, want, got)
					}
				}
			}
		}
	})
}

func TestFunctionsOnEveryLengthAndAlignment(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		px, py := newPage(t, 4*(2*callLen+64)), newPage(t, 4*(2*callLen+64))
		for _, f := range functions {
			for _, n := range lengths() {
				all := normal(rng(n), make([]float32, n))
				want := make([]float32, n)
				for i := range all { // one at a time: an element's bits don't depend on its place
					f.run(k, want[i:i+1], all[i:i+1])
					if n > 1000 && i > 50 && i < n-50 {
						want[i] = nanMark
					}
				}
				for _, atEnd := range []bool{true, false} {
					x, y := px.floats(n, atEnd), py.floats(n, atEnd)
					copy(x, all)
					f.run(k, y, x)
					f.run(k, x, x)
					sameBits(t, x, y, f.name, "in place")
					for i, w := range want {
						if w != nanMark && y[i] != w && (w == w || y[i] == y[i]) {
							require.Failf(t, "wrong element", "%s: %d of %d", f.name, i, n)
						}
					}
				}
			}
		}
	})
}

// nanMark stands for "not computed": no function returns it here.
const nanMark = -12345

func TestGEGLU(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{1, 7, 16, 33, 100, 1280, callLen + 3} {
			p, q := newPage(t, 3*2*n*4), newPage(t, 3*n*4)
			x, y := normal(rng(n), p.floats(3*2*n, true)), q.floats(3*n, true)
			k.GEGLU(y, x, n)
			for i, w := range ref.GEGLU(x, n) {
				require.InDelta(t, w, y[i], 1e-6*(1+math.Abs(w)))
			}
		}
	})
}

func TestScaleAdd(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, m := range []int{0, 1, 3, 70} {
			for _, c := range []int{1, 3, 8, 15, 16, 17, 31, 64, 100, 320} {
				p := newPage(t, 4*m*c)
				x, y := normal(rng(c), p.floats(m*c, true)), make([]float32, m*c)
				s, h := normal(rng(1), newPage(t, 4*c).floats(c, true)), normal(rng(2), newPage(t, 4*c).floats(c, true))
				for _, a := range []ref.Act{ref.None, ref.SiLU} {
					k.ScaleAdd(y, x, s, h, a)
					for i, v := range x {
						want := a.Apply(float64(v)*float64(s[i%c]) + float64(h[i%c]))
						require.InDelta(t, want, y[i], 2e-6, "%dx%d at %d", m, c, i)
					}
				}
				k.ScaleAdd(x, x, s, h, ref.SiLU)
				sameBits(t, y, x, "in place")
			}
		}
	})
}

func TestActivationGoldens(t *testing.T) {
	g := goldens(t, "activation")
	cases := map[string]func(k *Kernel, dst, x []float32){
		"quick_gelu": act(ref.QuickGELU), "gelu_erf": act(ref.GELU), "gelu_tanh": act(ref.GELUTanh), "silu": act(ref.SiLU),
		"relu": act(ref.ReLU), "sigmoid": act(ref.Sigmoid), "tanh": act(ref.Tanh),
		"geglu": func(k *Kernel, dst, x []float32) { k.GEGLU(dst, x, 6) },
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for name, run := range cases {
			want := g["op/"+name+"/out/out"]
			require.NotEmpty(t, want, name)
			got := make([]float32, len(want))
			run(k, got, g["op/"+name+"/in/x"])
			e := relErr(want, got)
			t.Logf("%s: %.2g", name, e)
			require.LessOrEqual(t, e, 1e-7, name)
		}
	})
}
