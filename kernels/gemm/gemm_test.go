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

// eachLevel runs f as a subtest for every instruction set of this machine.
func eachLevel(t *testing.T, f func(t *testing.T, k *Kernel)) {
	for _, l := range isa.All() {
		t.Run(l.String(), func(t *testing.T) { f(t, For(l)) })
	}
}

func random(r *rand.Rand, n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(r.NormFloat64())
	}
	return f
}

// requireClose compares with the reference: FMA sums of K terms of size ~1.
func requireClose(t *testing.T, want, got []float32, K int, msg string) {
	t.Helper()
	tol := 1e-6 * (1 + math.Sqrt(float64(K))*2)
	for i := range want {
		if d := math.Abs(float64(want[i] - got[i])); !(d <= tol*(1+math.Abs(float64(want[i])))) {
			require.Failf(t, "wrong element", "%s: element %d: want %g, got %g (tolerance %g)", msg, i, want[i], got[i], tol)
		}
	}
}

func TestOpMatchesReference(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(1, 2))
		for _, K := range []int{0, 1, 2, 255, 256, 257, 700} {
			for M := 1; M <= 2*k.mr+1; M++ {
				for N := 1; N <= 2*k.nr+1; N += 1 + (M+N+K)%5 {
					a, b := random(r, M*K), random(r, K*N)
					s := Spec{M: M, N: N, K: K, Scale: []float32{0, 0.5}[(M+N)%2], Act: []Act{ref.None, ref.ReLU, ref.GELU}[(M+2*N)%3]}
					var bias, res []float32
					if M%2 == 0 {
						bias = random(r, N)
					}
					if N%3 == 0 {
						res = random(r, M*N)
					}
					scale := float64(s.Scale)
					if scale == 0 {
						scale = 1
					}
					want, got := make([]float32, M*N), make([]float32, M*N)
					ref.GEMM(want, a, b, bias, res, scale, s.Act, M, N, K)
					NewOp(k, pool, s).Run(got, a, k.PackF32(b, KN, K, N), bias, res)
					requireClose(t, want, got, K, fmt.Sprintf("%dx%dx%d", M, K, N))
				}
			}
		}
	})
}
