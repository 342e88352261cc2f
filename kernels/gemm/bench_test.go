package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// Shapes of the models (M, K, N), as the comparison with other engines names them.
var benchShapes = [][3]int{
	{512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {50, 768, 3072}, {50, 3072, 768}, {77, 768, 768},
	{77, 512, 2048}, {4096, 320, 320}, {4096, 320, 2560}, {1024, 640, 640}, {256, 1280, 1280}, {1, 768, 49408},
	{1, 768, 3072}, {400, 768, 768}, {850, 256, 2048},
}

// One thread; "peak" is the share of the rate of multiply-adds without memory.
func BenchmarkGEMM(b *testing.B) {
	for _, l := range isa.All()[1:] {
		k, pool := For(l), par.New(1)
		peak := PeakFLOPS(l, 50*time.Millisecond)
		for _, s := range benchShapes {
			for typ, name := range map[DType]string{F32: "", F16: "-f16"} {
				if typ != F32 && s[0] != 1 {
					continue
				}
				b.Run(fmt.Sprintf("%s/%dx%dx%d%s", l, s[0], s[1], s[2], name), func(b *testing.B) {
					M, K, N := s[0], s[1], s[2]
					r := rand.New(rand.NewPCG(1, 1))
					a, c := random(r, M*K), make([]float32, M*N)
					w := k.Pack(pool, FloatMatrix(random(r, K*N), KN, K, N), typ)
					op := NewOp(k, pool, Spec{M: M, N: N, K: K})
					b.SetBytes(int64(4*M*K + 4*M*N + w.Bytes()))
					for b.Loop() {
						op.Run(c, a, w, nil, nil)
					}
					rate := 2 * float64(M*N*K) * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(rate/1e9, "GFLOP/s")
					b.ReportMetric(100*rate/peak, "%peak")
				})
			}
		}
	}
}

func BenchmarkPack(b *testing.B) {
	k, pool := For(isa.All()[len(isa.All())-1]), par.New(1)
	const K, N = 768, 3072
	for _, typ := range types {
		m, _ := matrix(rand.New(rand.NewPCG(1, 1)), typ, NK, K, N)
		b.Run(fmt.Sprintf("type%d", typ), func(b *testing.B) {
			b.SetBytes(int64(K * N * typ.Size()))
			for b.Loop() {
				k.Pack(pool, m, typ)
			}
		})
	}
}

// Support memory: 64k rows of 512, 64 MB as F16.
func BenchmarkRows(b *testing.B) {
	const D, J = 512, 1 << 16
	for _, l := range isa.All()[1:] {
		k, pool := For(l), par.New(1)
		for _, typ := range []DType{F32, F16} {
			t := Matrix{Data: make([]byte, J*D*typ.Size()), Type: typ, Layout: NK, K: D, N: J}
			for i := range t.Data {
				t.Data[i] = byte(i) & 0x1f
			}
			for _, M := range []int{1, 16, 64} {
				rows, r := NewRows(k, pool, t, M), rand.New(rand.NewPCG(1, 1))
				q, s := random(r, M*D), random(r, M*J)
				b.Run(fmt.Sprintf("%s/dots%d/M%d", l, typ, M), func(b *testing.B) {
					b.SetBytes(int64(len(t.Data)))
					for b.Loop() {
						rows.Dots(s, J, q, D, M, 0, J)
					}
				})
				b.Run(fmt.Sprintf("%s/sum%d/M%d", l, typ, M), func(b *testing.B) {
					b.SetBytes(int64(len(t.Data)))
					for b.Loop() {
						rows.Sum(q, D, s, J, M, 0, J)
					}
				})
			}
		}
	}
}
