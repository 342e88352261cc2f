//go:build unix

package narrow

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// product is a case's operands; b is [K,N].
type product struct {
	gemm.Spec
	a, b, bias, res []float32
}

func newProduct(t *testing.T, s gemm.Spec, atEnd, bias, residual bool) *product {
	r := rand.New(rand.NewPCG(uint64(s.M), uint64(s.N*s.K)))
	p := &product{Spec: s, a: normal(r, guarded(t, s.M*s.K, atEnd)), b: normal(r, make([]float32, s.K*s.N))}
	if bias {
		p.bias = normal(r, guarded(t, s.N, atEnd))
	}
	if residual {
		p.res = normal(r, guarded(t, s.M*s.N, atEnd))
	}
	return p
}

func (p *product) reference(k *Kernel) []float32 {
	b := transposed(k.round(transposed(p.b, p.N), p.K, true), p.K)
	want := make([]float32, p.M*p.N)
	ref.GEMM(want, k.round(p.a, p.K, false), b, p.bias, p.res, 1, p.Act, p.M, p.N, p.K)
	return want
}

// run computes the product of rows [m0,m1) on so many workers.
func (p *product) run(t *testing.T, k *Kernel, workers, m0, m1 int, atEnd bool) []float32 {
	pool := par.New(workers)
	defer pool.Close()
	s := p.Spec
	s.M = m1 - m0
	o := NewProduct(k, pool, s)
	w := o.Pack(gemm.FloatMatrix(p.b, gemm.KN, s.K, s.N))
	require.Equal(t, o.WeightBytes(), w.Bytes())
	c, ws := nan(guarded(t, s.M*s.N, atEnd)), nan(guarded(t, o.Workspace(), true))
	res := p.res
	if res != nil {
		res = res[m0*s.N : m1*s.N]
	}
	o.Run(c, p.a[m0*s.K:m1*s.K], w, p.bias, res, nil, ws)
	return c
}

func TestProduct(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for i, s := range []gemm.Spec{
			{M: 1, N: 1, K: 1}, {M: 1, N: 33, K: 31}, {M: 2, N: 32, K: 32}, {M: 6, N: 33, K: 161}, {M: 15, N: 31, K: 33}, {M: 16, N: 64, K: 64},
			{M: 17, N: 65, K: 40}, {M: 19, N: 32, K: 640}, {M: 31, N: 4, K: 320}, {M: 32, N: 100, K: 63}, {M: 33, N: 47, K: 2049}, {M: 77, N: 96, K: 768},
			{M: 100, N: 200, K: 5120}, {M: 129, N: 40, K: 2080}, {M: 2500, N: 64, K: 320},
		} {
			s.Act = []ref.Act{ref.None, ref.ReLU, ref.GELU}[i%3]
			for _, with := range []bool{false, true} {
				p := newProduct(t, s, !with, with, with)
				got := p.run(t, k, 2, 0, s.M, !with)
				require.LessOrEqual(t, relErr(p.reference(k), got), sumError, "%+v", s)
			}
		}
	})
}

// The bits of a row are those of the row alone, on any number of threads.
func TestProductBits(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for _, s := range []gemm.Spec{{M: 70, N: 70, K: 2100, Act: ref.ReLU}, {M: 300, N: 40, K: 64}, {M: 40, N: 1300, K: 2600}} {
			p := newProduct(t, s, true, true, true)
			want := p.run(t, k, 1, 0, s.M, true)
			same(t, want, p.run(t, k, 2, 0, s.M, true), "two threads")
			same(t, want, p.run(t, k, 3, 0, s.M, true), "three threads")
			for _, m := range []int{0, 1, 33, s.M - 1} {
				same(t, want[m*s.N:(m+1)*s.N], p.run(t, k, 2, m, m+1, true), fmt.Sprint("row ", m))
			}
		}
	})
}

// A result too large for the caches is stored past them: with a tail of columns,
// rows that aren't whole lines, and an address that isn't one.
func TestProductStreams(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for _, n := range []int{1040, 1041} {
			s := gemm.Spec{M: streamFrom/4/n + 1, N: n, K: 16, Act: ref.ReLU}
			p := newProduct(t, s, true, true, true)
			want := p.reference(k)
			require.LessOrEqual(t, relErr(want, p.run(t, k, 2, 0, s.M, false)), sumError, "%+v", s)
			require.LessOrEqual(t, relErr(want, p.run(t, k, 2, 0, s.M, true)), sumError, "%+v", s)
		}
	})
}

func TestPeak(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) { require.Positive(t, k.PeakFLOPS(time.Millisecond)) })
}

// Strides: gaps stay as they are, and the residual may be the result.
func TestProductInPlace(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		const M, N, K, lda, ldc = 37, 50, 40, 48, 61
		p := newProduct(t, gemm.Spec{M: M, N: N, K: K}, true, false, true)
		want := p.reference(k)
		a, c := make([]float32, M*lda), nan(make([]float32, M*ldc))
		for m := range M {
			copy(a[m*lda:], p.a[m*K:(m+1)*K])
			copy(c[m*ldc:], p.res[m*N:(m+1)*N])
		}
		pool := par.New(1)
		o := NewProduct(k, pool, gemm.Spec{M: M, N: N, K: K, LDA: lda, LDC: ldc, LDR: ldc})
		o.Run(c, a, o.Pack(gemm.FloatMatrix(p.b, gemm.KN, K, N)), nil, c, nil, make([]float32, o.Workspace()))
		for m := range M {
			require.LessOrEqual(t, relErr(want[m*N:(m+1)*N], c[m*ldc:][:N]), sumError)
			for _, v := range c[m*ldc+N : (m+1)*ldc] {
				require.True(t, math.IsNaN(float64(v)))
			}
		}
	})
}

// A NaN or an infinity reaches its row or column and no other.
func TestProductNonFinite(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		s := gemm.Spec{M: 35, N: 37, K: 70, Act: ref.ReLU}
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32} {
			if k.with == isa.AVX512VNNI && bad == math.MaxFloat32 { // 127 times its scale is more
				bad = 3e38
			}
			p := newProduct(t, s, true, true, false)
			clean := p.run(t, k, 1, 0, s.M, true)
			p.a[20*s.K+69] = bad
			p.b[5*s.N+36] = -bad
			got, want := p.run(t, k, 1, 0, s.M, true), p.reference(k)
			for i := range got {
				if bad == 3e38 && i == 20*s.N+36 { // the product of the scales overflows
					continue
				}
				if i/s.N == 20 || i%s.N == 36 {
					require.Equal(t, math.IsNaN(float64(want[i])), math.IsNaN(float64(got[i])), "%v at %d", bad, i)
					require.Equal(t, math.IsInf(float64(want[i]), 0), math.IsInf(float64(got[i]), 0), "%v at %d", bad, i)
				} else {
					require.Equal(t, clean[i], got[i], "%v at %d", bad, i)
				}
			}
		}
	})
}

// Every type and layout of a checkpoint packs to the same panels.
func TestPack(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		const K, N = 45, 37
		pool := par.New(2)
		defer pool.Close()
		o := NewProduct(k, pool, gemm.Spec{M: 1, N: N, K: K})
		f := normal(rand.New(rand.NewPCG(1, 2)), make([]float32, K*N)) // [K,N]
		ref.RoundBF16(f, f)
		want := o.Pack(gemm.FloatMatrix(f, gemm.KN, K, N))
		nk, nk16 := make([]float32, K*N), make([]byte, 2*K*N+1)[1:]
		for n := range N {
			for kk := range K {
				nk[n*K+kk] = f[kk*N+n]
				binary.LittleEndian.PutUint16(nk16[2*(n*K+kk):], uint16(math.Float32bits(f[kk*N+n])>>16))
			}
		}
		require.Equal(t, want.w, o.Pack(gemm.FloatMatrix(nk, gemm.NK, K, N)).w)
		require.Equal(t, want.w, o.Pack(gemm.Matrix{Data: nk16, Type: gemm.BF16, Layout: gemm.NK, K: K, N: N}).w)
		require.Panics(t, func() { o.Pack(gemm.FloatMatrix(nk, gemm.NK, K, N-1)) })
	})
}

// narrow is the reference's rounding, to every bit, and reads and writes no more
// than it says.
func TestNarrow(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, c := range []int{1, 2, 15, 16, 17, 33, 64, 100, 127, 128, 129, 130, 320, 768, 1000} {
			for kind := range 6 {
				weights := kind%2 == 1
				x := normal(r, guarded(t, c, true))
				if kind > 1 { // of any magnitude
					for i := range x {
						x[i] = math.Float32frombits(r.Uint32() & 0xfbffffff)
					}
				}
				if kind > 3 {
					copy(x, []float32{0, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32, 1e-45, 1 + 1.0/256, float32(math.NaN())})
				}
				f := k.format(c)
				dst, want := words(nan(guarded(t, f.each*f.a, true))), k.round(x, c, weights)
				k.narrow(dst, x, f, weights)
				for i, v := range want {
					s := dst[i/f.deep*f.a:][:f.a]
					j, got := i%f.deep, float32(0)
					if f.int8 {
						got = float32(int32(s[2+j/4]>>(j%4*8)&255)+int32(s[1])) * math.Float32frombits(s[0])
					} else {
						got = math.Float32frombits(s[j/2] >> (j % 2 * 16) << 16)
					}
					if v != v {
						require.True(t, got != got)
					} else {
						require.Equal(t, v, got, "%d of %v", i, x)
					}
				}
				last := dst[(f.each-1)*f.a:]
				for j := c - (f.each-1)*f.deep; j < f.deep; j++ {
					if scale := math.Float32frombits(last[0]); f.int8 && scale != scale {
						continue // any byte gives NaN
					} else if f.int8 {
						require.Equal(t, -last[1], last[2+j/4]>>(j%4*8)&255)
					} else {
						require.Zero(t, last[j/2]>>(j%2*16)&0xffff)
					}
				}
			}
		}
	})
}
