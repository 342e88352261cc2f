package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"

	"github.com/stretchr/testify/require"
)

// same requires equal bits.
func same(t *testing.T, want, got []float32, msg string) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			require.Failf(t, "other bits", "%s: element %d: %x, then %x", msg, i, math.Float32bits(want[i]), math.Float32bits(got[i]))
		}
	}
}

var types = []DType{F32, F16, BF16}

func TestBitsDependOnRowAndColumnOnly(t *testing.T) {
	pools := []*par.Pool{par.New(1), par.New(2), par.New(3)}
	defer func() {
		for _, p := range pools {
			p.Close()
		}
	}()
	r := rand.New(rand.NewPCG(3, 4))
	const M, N = 50, 300
	for i, K := range []int{1, 64, 256, 300, 512, 700, 1300} {
		act := []Act{ref.ReLU, ref.GELU}[i%2]
		for _, typ := range types {
			a, b, bias, res := random(r, M*K), random(r, N*K), random(r, N), random(r, M*N)
			var other []float32 // of the level below
			for _, l := range isa.All() {
				k := For(l)
				msg := fmt.Sprintf("%s K=%d type %d", l, K, typ)
				w := k.Pack(pools[1], FloatMatrix(b, NK, K, N), typ)
				want := make([]float32, M*N)
				NewOp(k, pools[0], Spec{M: M, N: N, K: K, Scale: 0.7, Act: act}).Run(want, a, w, bias, res)
				for _, p := range pools[1:] {
					got := make([]float32, M*N)
					NewOp(k, p, Spec{M: M, N: N, K: K, Scale: 0.7, Act: act}).Run(got, a, w, bias, res)
					same(t, want, got, msg+" workers")
				}
				for m := range M {
					got := make([]float32, N)
					NewOp(k, pools[1], Spec{M: 1, N: N, K: K, Scale: 0.7, Act: act}).Run(got, a[m*K:][:K], w, bias, res[m*N:][:N])
					same(t, want[m*N:][:N], got, msg+" one row")
				}
				for _, m := range []int{2, 3, 5, 14, 17} {
					got, ws := make([]float32, m*N), make([]float32, k.WorkLen())
					ep := Epilogue{Scale: 0.7, Bias: bias, Residual: res, LDR: N, Act: act}
					n1 := N / 2 / k.nr * k.nr
					k.Block(got, N, a, K, w, m, n1, N, &ep, ws)
					k.Block(got, N, a, K, w, m, 0, n1, &ep, ws)
					same(t, want[:m*N], got, msg+" two blocks")
				}
				if typ == F32 {
					got, acc, ws := make([]float32, M*N), make([]float32, k.AccLen(M, 0, N)), make([]float32, k.WorkLen())
					ep := Epilogue{Scale: 0.7, Bias: bias, Residual: res, LDR: N, Act: act}
					for k0 := 0; k0 < K; k0 += KC {
						k.KBlock(got, N, a[k0:], K, w, k0, min(k0+KC, K), M, 0, N, &ep, acc, ws)
					}
					same(t, want, got, msg+" KBlock")
				}
				if l > isa.AVX2 && act == ref.ReLU { // elem's functions differ in the last bit
					same(t, other, want, msg+" against the level below")
				}
				other = want
			}
		}
	}
}

// A residual that is the result itself, rows of A a multiple of 4096 bytes
// apart, and gaps that stay as they are.
func TestStridesAndInPlaceResidual(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(5, 6))
		for _, K := range []int{100, 600, 1024} {
			const M, N, lda, ldc = 37, 130, 1024, 140
			a, b, c := random(r, M*lda), random(r, K*N), random(r, M*ldc)
			dense, res, want := make([]float32, M*K), make([]float32, M*N), make([]float32, M*N)
			for m := range M {
				copy(dense[m*K:], a[m*lda:][:K])
				copy(res[m*N:], c[m*ldc:][:N])
			}
			ref.GEMM(want, dense, b, nil, res, 1, ref.None, M, N, K)
			got := append([]float32(nil), c...)
			NewOp(k, pool, Spec{M: M, N: N, K: K, LDA: lda, LDC: ldc, LDR: ldc}).Run(got, a, k.PackF32(b, KN, K, N), nil, got)
			for m := range M {
				requireClose(t, want[m*N:][:N], got[m*ldc:][:N], K, fmt.Sprint("row ", m))
				same(t, c[m*ldc+N:(m+1)*ldc], got[m*ldc+N:(m+1)*ldc], "gap")
			}
		}
	})
}

func TestNonFiniteValuesPropagate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(1)
		defer pool.Close()
		const M, N, K = 15, 150, 300
		for _, m := range []int{0, 7, 14} {
			for _, n := range []int{0, 127, 149} {
				for _, x := range []float32{nan, inf} {
					a, b, got := make([]float32, M*K), make([]float32, K*N), make([]float32, M*N)
					a[m*K+299] = x // times zeros: NaN in the whole row
					b[5*N+n] = x   // and the whole column
					NewOp(k, pool, Spec{M: M, N: N, K: K, Act: ref.ReLU}).Run(got, a, k.PackF32(b, KN, K, N), nil, nil)
					one := make([]float32, N)
					NewOp(k, pool, Spec{M: 1, N: N, K: K, Act: ref.ReLU}).Run(one, a[m*K:][:K], k.PackF32(b, KN, K, N), nil, nil)
					for i, v := range got {
						require.Equal(t, i/N == m || i%N == n, v != v, "element %d,%d", i/N, i%N)
						if i/N == m {
							require.True(t, one[i%N] != one[i%N])
						}
					}
				}
			}
		}
	})
}

func TestRunsDoNotAllocate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(7, 8))
		for _, M := range []int{1, 20} {
			const N, K = 70, 300
			a, b, c := random(r, M*K), random(r, N*K), make([]float32, M*N)
			for _, typ := range types {
				w := k.Pack(pool, FloatMatrix(b, NK, K, N), typ)
				op := NewOp(k, pool, Spec{M: M, N: N, K: K, Act: ref.GELU})
				require.Zero(t, testing.AllocsPerRun(10, func() { op.Run(c, a, w, nil, nil) }))
			}
			mm := NewMatMul(k, pool, MatMulSpec{Batch: 1, M: M, N: N, K: K})
			ws := make([]float32, mm.WorkLen())
			require.Zero(t, testing.AllocsPerRun(10, func() { mm.Run(c, a, b, ws) }))
			rows := NewRows(k, pool, FloatMatrix(b, NK, K, N), M)
			require.Zero(t, testing.AllocsPerRun(10, func() {
				rows.Dots(c, N, a, K, M, 0, N)
				rows.Sum(a, K, c, N, M, 0, N)
			}))
		}
	})
}

func TestImpossibleSizesPanic(t *testing.T) {
	k := For(isa.Portable)
	w := k.PackF32(make([]float32, 30), KN, 3, 10)
	ws := make([]float32, k.WorkLen())
	f := func(n int) []float32 { return make([]float32, n) }
	k.Block(f(20), 10, f(6), 3, w, 2, 0, 10, &Epilogue{}, ws)
	for name, run := range map[string]func(){
		"c":        func() { k.Block(f(19), 10, f(6), 3, w, 2, 0, 10, &Epilogue{}, ws) },
		"a":        func() { k.Block(f(20), 10, f(5), 3, w, 2, 0, 10, &Epilogue{}, ws) },
		"bias":     func() { k.Block(f(20), 10, f(6), 3, w, 2, 0, 10, &Epilogue{Bias: f(9)}, ws) },
		"residual": func() { k.Block(f(20), 10, f(6), 3, w, 2, 0, 10, &Epilogue{Residual: f(19), LDR: 10}, ws) },
		"columns":  func() { k.Block(f(20), 10, f(6), 3, w, 2, 4, 10, &Epilogue{}, ws) },
		"ws":       func() { k.Block(f(20), 10, f(6), 3, w, 2, 0, 10, &Epilogue{}, ws[1:]) },
		"matrix":   func() { k.PackF32(f(29), KN, 3, 10) },
		"dst":      func() { k.PackInto(f(10), f(30), 0, KN, 3, 10) },
	} {
		require.Panics(t, run, name)
	}
}

// TestChains: sums in chains are, bit for bit, the sums of products of as many
// columns of A each, added in order.
func TestChains(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(9, 10))
		const N = 150
		for _, K := range []int{1, 64, 65, 200, 256, 700, 1100} {
			for _, n := range []int{16, 64, 256} {
				for _, M := range []int{1, 3, 6, 14, 50, 100} {
					a, b, bias := random(r, M*K), random(r, N*K), random(r, N)
					want, got := make([]float32, M*N), make([]float32, M*N)
					sum := []float32(nil)
					for at := 0; at < K; at += n {
						part, kn := make([]float32, K*N), min(n, K-at)
						for i := range N {
							copy(part[i*kn:], b[i*K+at:][:kn])
						}
						NewOp(k, pool, Spec{M: M, N: N, K: kn, LDA: K}).Run(want, a[at:], k.PackF32(part[:kn*N], NK, kn, N), nil, sum)
						sum = want
					}
					for i := range want {
						want[i] += bias[i%N]
					}
					w := k.PackF32(b, NK, K, N).InChains(n)
					NewOp(k, pool, Spec{M: M, N: N, K: K}).Run(got, a, &w, bias, nil)
					same(t, want, got, fmt.Sprintf("%dx%dx%d in chains of %d", M, K, N, n))
				}
			}
		}
	})
	require.Panics(t, func() { Weights{}.InChains(48) })
}
