//go:build unix

package narrow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/attn"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// attentions are dense operands of a Spec.
type attentions struct {
	attn.Spec
	q, k, v []float32
}

func newAttentions(t *testing.T, s attn.Spec, atEnd bool) *attentions {
	r := rand.New(rand.NewPCG(uint64(s.LQ), uint64(s.LK)))
	f := func(l int) []float32 { return normal(r, guarded(t, s.B*l*s.H*s.D, atEnd)) }
	return &attentions{s, f(s.LQ), f(s.LK), f(s.LK)}
}

func (a *attentions) reference() []float32 {
	round := func(x []float32) []float32 {
		y := make([]float32, len(x))
		ref.RoundBF16(y, x)
		return y
	}
	want, out := make([]float64, len(a.q)), make([]float32, len(a.q))
	r := ref.Attention{B: a.B, H: a.H, LQ: a.LQ, LK: a.LK, D: a.D, Scale: float64(a.Scale)}
	r.Run(want, nil, round(a.q), round(a.k), round(a.v), nil)
	for i, v := range want {
		out[i] = float32(v)
	}
	return out
}

// run attends for n batch items from the first on.
func (a *attentions) run(t *testing.T, k *Kernel, workers, first, n int, atEnd bool) []float32 {
	pool := par.New(workers)
	defer pool.Close()
	s := a.Spec
	s.B = n
	o := NewAttention(k, pool, s)
	q, kk := s.LQ*s.H*s.D, s.LK*s.H*s.D
	dst := nan(guarded(t, n*q, atEnd))
	o.Run(dst, a.q[first*q:(first+n)*q], a.k[first*kk:(first+n)*kk], a.v[first*kk:(first+n)*kk], nan(guarded(t, o.Workspace(), true)))
	return dst
}

func onTiles(t *testing.T, f func(t *testing.T, k *Kernel)) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		if k.with != isa.AMXBF16 {
			require.False(t, k.FitsAttention(attn.Spec{B: 1, H: 1, LQ: 64, LK: 64, D: 64}))
			t.Skip("NOT CHECKED: attention in bfloat16: this CPU or system has no AMX tiles")
		}
		f(t, k)
	})
}

func TestAttention(t *testing.T) {
	onTiles(t, func(t *testing.T, k *Kernel) {
		for _, s := range []attn.Spec{
			{B: 1, H: 1, LQ: 16, LK: 1, D: 1}, {B: 1, H: 2, LQ: 32, LK: 32, D: 32}, {B: 2, H: 3, LQ: 33, LK: 31, D: 40}, {B: 1, H: 2, LQ: 50, LK: 50, D: 64},
			{B: 2, H: 2, LQ: 64, LK: 77, D: 160}, {B: 1, H: 3, LQ: 95, LK: 257, D: 17}, {B: 1, H: 1, LQ: 40, LK: 1000, D: 80, Scale: 0.3}, {B: 1, H: 8, LQ: 64, LK: 512, D: 40},
			{B: 1, H: 1, LQ: 32, LK: 64, D: 512},
		} {
			for _, atEnd := range []bool{true, false} {
				a := newAttentions(t, s, atEnd)
				require.LessOrEqual(t, relErr(a.reference(), a.run(t, k, 2, 0, s.B, atEnd)), 6e-3, "%+v", s)
			}
		}
	})
}

// An item's bits are those of the item alone, on any number of threads.
func TestAttentionBits(t *testing.T) {
	onTiles(t, func(t *testing.T, k *Kernel) {
		s := attn.Spec{B: 3, H: 2, LQ: 130, LK: 300, D: 40}
		a := newAttentions(t, s, true)
		want := a.run(t, k, 1, 0, 3, true)
		same(t, want, a.run(t, k, 3, 0, 3, true), "three threads")
		for b := range 3 {
			n := len(want) / 3
			same(t, want[b*n:(b+1)*n], a.run(t, k, 2, b, 1, true), fmt.Sprint("item ", b))
		}
	})
}

// Heads of a packed [B,L,3·H·D], results with gaps.
func TestAttentionStrides(t *testing.T) {
	onTiles(t, func(t *testing.T, k *Kernel) {
		s := attn.Spec{B: 2, H: 2, LQ: 40, LK: 40, D: 24}
		a := newAttentions(t, s, true)
		want := a.run(t, k, 1, 0, 2, true)
		const n = 48
		packed := make([]float32, 2*40*3*n)
		for i := range 2 * 40 {
			for p, x := range [][]float32{a.q, a.k, a.v} {
				copy(packed[(3*i+p)*n:], x[i*n:(i+1)*n])
			}
		}
		s.StrideQ, s.StrideK, s.StrideV, s.StrideO = 3*n, 3*n, 3*n, n+5
		pool := par.New(2)
		defer pool.Close()
		o := NewAttention(k, pool, s)
		dst := nan(make([]float32, 80*(n+5)))
		o.Run(dst, packed, packed[n:], packed[2*n:], make([]float32, o.Workspace()))
		for i := range 80 {
			same(t, want[i*n:(i+1)*n], dst[i*(n+5):][:n], "row")
			for _, v := range dst[i*(n+5)+n : (i+1)*(n+5)] {
				require.True(t, math.IsNaN(float64(v)))
			}
		}
	})
}

func TestAttentionExtremes(t *testing.T) {
	onTiles(t, func(t *testing.T, k *Kernel) {
		s := attn.Spec{B: 1, H: 2, LQ: 40, LK: 300, D: 16, Scale: 1}
		a := newAttentions(t, s, true)
		clean := a.run(t, k, 1, 0, 1, true)
		// Scores that grow from block to block, far apart.
		for j := range 300 {
			for d := range 32 {
				a.k[j*32+d] = float32(j)
			}
		}
		for i := range a.q {
			a.q[i] = 1
		}
		got := a.run(t, k, 1, 0, 1, true)
		require.LessOrEqual(t, relErr(a.reference(), got), 6e-3)
		// A NaN in a query is that query's, in its head.
		a = newAttentions(t, s, true)
		a.q[7*32+3] = float32(math.NaN())
		for i, v := range a.run(t, k, 1, 0, 1, true) {
			if i/32 == 7 && i%32 < 16 {
				require.True(t, math.IsNaN(float64(v)))
			} else {
				require.Equal(t, clean[i], v)
			}
		}
		// Nothing but scores of -Inf gives zeros.
		for i := range a.q {
			a.q[i] = 1e30
		}
		for i := range a.k {
			a.k[i] = -1e30
		}
		for _, v := range a.run(t, k, 1, 0, 1, true) {
			require.Zero(t, v)
		}
	})
}

func TestAttentionDoesNotAllocate(t *testing.T) {
	onTiles(t, func(t *testing.T, k *Kernel) {
		s := attn.Spec{B: 1, H: 2, LQ: 64, LK: 300, D: 40}
		a := newAttentions(t, s, true)
		pool := par.New(2)
		defer pool.Close()
		o := NewAttention(k, pool, s)
		dst, ws := make([]float32, len(a.q)), make([]float32, o.Workspace())
		require.Zero(t, testing.AllocsPerRun(10, func() { o.Run(dst, a.q, a.k, a.v, ws) }))
		require.Panics(t, func() { o.Run(dst[1:], a.q, a.k, a.v, ws) })
		require.Panics(t, func() { o.Run(dst, a.q, a.k, a.v, ws[1:]) })
		s.Causal = true
		require.Panics(t, func() { NewAttention(k, pool, s) })
	})
}
