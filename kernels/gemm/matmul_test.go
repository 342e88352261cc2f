package gemm

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"

	"github.com/stretchr/testify/require"
)

func TestMatMulMatchesReference(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(9, 10))
		for _, s := range []MatMulSpec{
			{Batch: 3, M: 5, N: 7, K: 40},
			{Batch: 2, M: 50, N: 50, K: 64, Layout: KN, Scale: 0.125},
			{Batch: 1, M: 20, N: 100, K: 300, LDA: 310, LDB: 305, LDC: 101},
			{Batch: 2, M: 1, N: 130, K: 17, Layout: KN, StrideA: 40, LDB: 131, StrideB: 131 * 18, StrideC: 140},
			{Batch: 0, M: 1, N: 1, K: 1},
		} {
			m := NewMatMul(k, pool, s)
			d := m.s // with the defaults filled in
			a, b, c := random(r, d.Batch*d.StrideA), random(r, d.Batch*d.StrideB), make([]float32, d.Batch*d.StrideC)
			m.Run(c, a, b, make([]float32, m.WorkLen()))
			for i := range d.Batch {
				da, db, want := make([]float32, d.M*d.K), make([]float32, d.K*d.N), make([]float32, d.M*d.N)
				for j := range da {
					da[j] = a[i*d.StrideA+j/d.K*d.LDA+j%d.K]
				}
				for j := range db {
					n, kk := j%d.N, j/d.N
					if d.Layout == NK {
						db[j] = b[i*d.StrideB+n*d.LDB+kk]
					} else {
						db[j] = b[i*d.StrideB+kk*d.LDB+n]
					}
				}
				scale := 1.0
				if d.Scale != 0 {
					scale = float64(d.Scale)
				}
				ref.GEMM(want, da, db, nil, nil, scale, ref.None, d.M, d.N, d.K)
				for row := range d.M {
					requireClose(t, want[row*d.N:][:d.N], c[i*d.StrideC+row*d.LDC:][:d.N], d.K, fmt.Sprint(s, i, row))
				}
			}
		}
	})
}

// store writes v as typ; what it returns is what a reader gets back.
func store(dst []byte, v float32, typ DType) float32 {
	e, got := For(isa.Portable).elem, make([]float32, 1)
	switch typ {
	case F16:
		e.ToF16(dst[:2], []float32{v})
		e.FromF16(got, dst[:2])
	case BF16:
		e.ToBF16(dst[:2], []float32{v})
		e.FromBF16(got, dst[:2])
	default:
		binary.LittleEndian.PutUint32(dst, math.Float32bits(v))
		return v
	}
	return got[0]
}

// matrix stores random values at an odd address.
func matrix(r *rand.Rand, typ DType, layout Layout, K, N int) (Matrix, []float32) {
	f := random(r, K*N)
	data := make([]byte, K*N*typ.Size()+1)[1:]
	for i := range f {
		f[i] = store(data[i*typ.Size():], f[i], typ)
	}
	return Matrix{Data: data, Type: typ, Layout: layout, K: K, N: N}, f
}

func TestPackEveryTypeAndLayout(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		r := rand.New(rand.NewPCG(11, 12))
		for _, layout := range []Layout{NK, KN} {
			for _, from := range types {
				for _, as := range types {
					for _, K := range []int{0, 1, 7, 16, 45, 260} {
						for _, N := range []int{1, k.nr - 1, k.nr, 5*k.nr + 3} {
							b, f := matrix(r, from, layout, K, N)
							w := k.Pack(pool, b, as)
							require.Equal(t, as, w.Type())
							require.Equal(t, k.PackedLen(K, N)*as.Size(), w.Bytes())
							for i := range k.PackedLen(K, N) {
								kk, n := i%(K*k.nr)/k.nr, i/(K*k.nr)*k.nr+i%k.nr
								var want, got float32
								if n < N && layout == NK {
									want = f[n*K+kk]
								} else if n < N {
									want = f[kk*N+n]
								}
								var buf [4]byte
								want = store(buf[:], want, as)
								switch as {
								case F32:
									got = w.f[i]
								default:
									f := make([]float32, 1)
									k.widen(f, halfBytes(w.h[i:i+1]), as)
									got = f[0]
								}
								if math.Float32bits(want) != math.Float32bits(got) {
									require.Failf(t, "wrong value", "layout %d from %d as %d K=%d N=%d k=%d n=%d: want %g, got %g", layout, from, as, K, N, kk, n, want, got)
								}
							}
						}
					}
				}
			}
		}
	})
}

func TestRowsMatchReference(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(13, 14))
		for _, typ := range types {
			for _, D := range []int{1, 15, 16, 33, 100} {
				const J = 3 * chunk
				table, f := matrix(r, typ, NK, D, J)
				for _, M := range []int{1, 2, 5, 17} {
					for _, span := range [][2]int{{0, J}, {3, 4}, {7, 3*chunk - 9}, {5, 5}, {100, 103}} {
						j0, j1 := span[0], span[1]
						n := j1 - j0
						q, p, out0 := random(r, M*D), random(r, M*n), random(r, M*D)
						var first, sums []float32
						for _, workers := range []int{1, 3} {
							pool := par.New(workers)
							rows := NewRows(k, pool, table, M)
							got, out := make([]float32, M*n), append([]float32(nil), out0...)
							rows.Dots(got, n, q, D, M, j0, j1)
							rows.Sum(out, D, p, n, M, j0, j1)
							pool.Close()
							if first == nil {
								first, sums = got, out
							}
							same(t, first, got, "dots")
							same(t, sums, out, "sums")
						}
						msg := fmt.Sprintf("type %d D=%d M=%d rows %v", typ, D, M, span)
						want := make([]float32, M*n)
						tr := make([]float32, D*n) // [D,n]
						for j := range n {
							for d := range D {
								tr[d*n+j] = f[(j0+j)*D+d]
							}
						}
						ref.GEMM(want, q, tr, nil, nil, 1, ref.None, M, n, D)
						requireClose(t, want, first, D, msg)
						want = make([]float32, M*D)
						ref.GEMM(want, p, f[j0*D:], nil, out0, 1, ref.None, M, D, n)
						requireClose(t, want, sums, n, msg+" sum")
						if M > 1 { // a row alone has the same bits
							pool := par.New(1)
							rows := NewRows(k, pool, table, 1)
							got, out := make([]float32, n), append([]float32(nil), out0[(M-1)*D:]...)
							rows.Dots(got, n, q[(M-1)*D:], D, 1, j0, j1)
							rows.Sum(out, D, p[(M-1)*n:], n, 1, j0, j1)
							pool.Close()
							same(t, first[(M-1)*n:], got, msg+" alone")
							same(t, sums[(M-1)*D:], out, msg+" sum alone")
						}
					}
				}
			}
		}
	})
}
