package conv

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/elem"
	"syntic/kernels/gemm"
	"syntic/kernels/par"
)

// TestHalfStorage: weights kept in halves give, bit for bit, what float32 weights
// of the same values give, on one worker and on three, without allocations.
func TestHalfStorage(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		one, three := par.New(1), par.New(3)
		defer one.Close()
		defer three.Close()
		seed := uint64(0)
		for _, s := range []Spec{
			{N: 1, H: 5, W: 7, C: 3, O: 5, KH: 3, KW: 3, Algorithm: WinogradF2},
			{N: 2, H: 9, W: 6, C: 70, O: 40, KH: 3, KW: 3, Algorithm: WinogradF4, Bias: true, Residual: true},
			{N: 1, H: 4, W: 4, C: 130, O: 33, KH: 3, KW: 3, Algorithm: WinogradF4, Norm: true, NormAct: 1},
			{N: 2, H: 6, W: 6, C: 600, O: 300, KH: 3, KW: 3, Algorithm: WinogradF4}, // in chunks
			{N: 1, H: 6, W: 6, C: 600, O: 300, KH: 3, KW: 3, Algorithm: WinogradF2},
			{N: 1, H: 7, W: 6, C: 20, O: 35, KH: 3, KW: 3, StrideH: 2, StrideW: 2, Algorithm: Direct, Bias: true},
			{N: 1, H: 7, W: 6, C: 40, O: 50, KH: 1, KW: 1, Algorithm: Direct, Norm: true},
			{N: 1, H: 7, W: 6, C: 8, O: 6, KH: 3, KW: 3, Groups: 2, Algorithm: Direct},
			{N: 1, H: 9, W: 20, C: 3, O: 32, KH: 3, KW: 3, Algorithm: Direct}, // a band where there's a kernel for it
			{N: 1, H: 7, W: 6, C: 8, O: 8, KH: 3, KW: 3, Groups: 8, Algorithm: Depthwise},
		} {
			if s.KH == 3 {
				s.PadT, s.PadL, s.PadB, s.PadR = 1, 1, 1, 1
			}
			for _, typ := range []gemm.DType{gemm.F16, gemm.BF16} {
				seed++
				s.Storage = gemm.F32
				o := makeOperands(t, s, seed)
				halves := make([]uint16, len(o.w))
				if typ == gemm.F16 {
					k.elem.ToF16(elem.Bytes(halves), o.w)
					k.elem.FromF16(o.w, elem.Bytes(halves))
				} else {
					k.elem.ToBF16(elem.Bytes(halves), o.w)
					k.elem.FromBF16(o.w, elem.Bytes(halves))
				}
				what := fmt.Sprintf("%s type %d", name(s), typ)
				full := o.run(t, k, 1, s)
				require.Equal(t, full.WeightBytes(), full.packedBytes(o.w), what)
				want := append([]float32(nil), o.dst...)
				s.Storage = typ
				for _, pool := range []*par.Pool{one, three} {
					op := New(k, pool, s)
					w := op.Pack(o.w)
					require.Equal(t, w.Bytes(), op.WeightBytes(), what)
					ws := guarded(t, op.Workspace(), true)
					op.Run(o.dst, o.x, w, o.bias, o.residual, o.norm, ws)
					require.Equal(t, want, o.dst, what)
					require.Zero(t, testing.AllocsPerRun(3, func() { op.Run(o.dst, o.x, w, o.bias, o.residual, o.norm, ws) }), what)
				}
			}
		}
	})
}

// packedBytes packs weights and returns the memory they take.
func (o *Op) packedBytes(w []float32) int { return o.Pack(w).Bytes() }

// TestWeightTransforms compares each level's transforms with the portable ones
// on whole vectors that end at a page that can't be touched.
func TestWeightTransforms(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		portable := For(0)
		for _, n := range []int{16, 32, 48, 160} {
			if n%k.gemm.NR() != 0 {
				continue
			}
			o := makeOperands(t, Spec{N: 1, H: 1, W: 9 * n, C: 1, O: 1, KH: 1, KW: 1}, 1)
			for points, f := range map[int][2]inputFunc{16: {portable.weightsF2, k.weightsF2}, 36: {portable.weightsF4, k.weightsF4}} {
				want, got := make([]float32, points*(n+3)), guarded(t, points*(n+3)-3, true)
				f[0](want, n+3, o.x, 3*n, n, n)
				f[1](got, n+3, o.x, 3*n, n, n)
				for i := range got {
					if i%(n+3) < n {
						require.InDelta(t, want[i], got[i], 2e-6, "point %d, value %d", i/(n+3), i%(n+3))
					} else {
						require.Zero(t, got[i])
					}
				}
			}
		}
	})
}
