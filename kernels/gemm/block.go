package gemm

import (
	"fmt"
	"unsafe"

	"syntic/kernels/ref"
)

// padA is added to the row length of a copied block of A: rows 1024 bytes
// apart would share a few sets of the L1 cache.
const padA = 16

// Epilogue is what happens to A·B before it is stored:
// act(Scale·AB + Bias[n] + Residual[m,n]).
type Epilogue struct {
	Scale    float32   // 0 means 1
	Bias     []float32 // [N], or nil
	Residual []float32 // [M,N] with rows LDR apart, or nil; may be c itself
	LDR      int
	Act      Act
}

// WorkLen returns the floats of scratch that a Block needs.
func (k *Kernel) WorkLen() int { return k.mc*k.nc + k.mc*(KC+padA) + KC*k.nr }

// Block computes the columns [n0,n1) of C [M,N] = epilogue(A [M,K] · w) on the
// calling goroutine. The slices c, bias and residual start at column 0.
//
// Shapes: n0 a multiple of NR, n1 too or N; ws WorkLen floats, any content.
// Aliasing: c may be the residual, with the same stride; not a, not ws.
// Allocs: none.
// Panics: if a slice is too short.
func (k *Kernel) Block(c []float32, ldc int, a []float32, lda int, w *Weights, M, n0, n1 int, ep *Epilogue, ws []float32) {
	k.check(c, ldc, a, lda, w.K, w, M, n0, n1, ep)
	if len(ws) < k.WorkLen() {
		panic(fmt.Sprintf("gemm: workspace of %d floats, needs %d", len(ws), k.WorkLen()))
	}
	if w.K == 0 {
		k.zeroK(c, ldc, w, M, n0, n1, ep, ws)
		return
	}
	acc, rows := ws[:k.mc*k.nc], ws[k.mc*k.nc:]
	mblocks := (M + k.mc - 1) / k.mc
	for i := range mblocks {
		m0, m1 := cut(M, mblocks, i), cut(M, mblocks, i+1)
		e := *ep
		if e.Residual != nil {
			e.Residual = e.Residual[m0*e.LDR:]
		}
		for n := n0; n < n1; n += k.nc {
			for k0 := 0; k0 < w.K; k0 += KC {
				ak, ld := a[m0*lda+k0:], lda
				k.kblock(c[m0*ldc:], ldc, ak, ld, w, k0, m1-m0, n, min(n+k.nc, n1), &e, acc, rows[k.mc*(KC+padA):])
			}
		}
	}
}

// AccLen returns the floats of partial sums that KBlock keeps for M rows and
// the columns [n0,n1).
func (k *Kernel) AccLen(M, n0, n1 int) int { return (n1 - n0 + k.nr - 1) / k.nr * k.nr * M }

// KBlock is the part of Block that belongs to k in [k0, min(k0+KC, K)), for
// callers that gather A one block of k at a time. a holds those columns of A
// only. It is called for k0 = 0, KC, 2·KC, … in turn; acc carries the partial
// sums (AccLen floats) and c is written by the last call. wide is scratch of
// KC·NR floats, used for half-precision weights.
func (k *Kernel) KBlock(c []float32, ldc int, a []float32, lda int, w *Weights, k0, M, n0, n1 int, ep *Epilogue, acc, wide []float32) {
	if k0 < 0 || k0%KC != 0 || k0 >= w.K {
		panic(fmt.Sprintf("gemm: block of k at %d of %d", k0, w.K))
	}
	k.check(c, ldc, a, lda, min(KC, w.K-k0), w, M, n0, n1, ep)
	if len(acc) < k.AccLen(M, n0, n1) && w.K > KC || len(wide) < KC*k.nr && w.typ != F32 {
		panic(fmt.Sprintf("gemm: scratch of %d and %d floats, needs %d and %d", len(acc), len(wide), k.AccLen(M, n0, n1), KC*k.nr))
	}
	k.kblock(c, ldc, a, lda, w, k0, M, n0, n1, ep, acc, wide)
}

// kblock is KBlock without checks.
func (k *Kernel) kblock(c []float32, ldc int, a []float32, lda int, w *Weights, k0, M, n0, n1 int, ep *Epilogue, acc, wide []float32) {
	last := k0+KC >= w.K
	t := tile{lda: uintptr(4 * lda), k: min(KC, w.K-k0), ldc: uintptr(4 * ldc), ldr: uintptr(4 * ep.LDR), scale: ep.Scale, flags: ep.flags()}
	if k0 > 0 {
		t.flags |= loadAcc
	}
	if !last {
		t.flags |= storeAcc
	}
	tiles := (M + k.mr - 1) / k.mr
	for n := n0; n < n1; n += k.nr {
		t.b = w.panel(n, k0, t.k, wide)
		t.cols = min(k.nr, w.N-n)
		if ep.Bias != nil {
			t.bias = unsafe.Pointer(&ep.Bias[n])
		}
		for i := range tiles {
			m := cut(M, tiles, i)
			t.rows = cut(M, tiles, i+1) - m
			t.a = unsafe.Pointer(&a[m*lda])
			t.c = unsafe.Pointer(&c[m*ldc+n])
			if t.flags&(loadAcc|storeAcc) != 0 {
				t.acc = unsafe.Pointer(&acc[(n-n0)*M+m*k.nr])
			}
			if ep.Residual != nil {
				t.res = unsafe.Pointer(&ep.Residual[m*ep.LDR+n])
			}
			k.run(&t)
		}
	}
	if last && ep.Act > ref.ReLU {
		k.activate(c, ldc, M, n0, min(n1, w.N), ep.Act)
	}
}

// cut returns where piece i begins when n things are cut into even pieces.
func cut(n, pieces, i int) int { return n * i / pieces }

func (ep *Epilogue) flags() int {
	f := 0
	if ep.Scale != 0 && ep.Scale != 1 {
		f |= doScale
	}
	if ep.Bias != nil {
		f |= doBias
	}
	if ep.Residual != nil {
		f |= doRes
	}
	if ep.Act == ref.ReLU {
		f |= doReLU
	}
	return f
}

// zeroK is the product of length 0: a block of one zero instead of none.
func (k *Kernel) zeroK(c []float32, ldc int, w *Weights, M, n0, n1 int, ep *Epilogue, ws []float32) {
	z := Weights{K: 1, N: w.N, nr: k.nr}
	clear(ws[:k.nr+1])
	for n := n0; n < n1; n += k.nr {
		e := *ep
		if e.Bias != nil {
			e.Bias = e.Bias[n:]
		}
		if e.Residual != nil {
			e.Residual = e.Residual[n:]
		}
		z.N, z.f = min(k.nr, w.N-n), ws[1:k.nr+1]
		k.kblock(c[n:], ldc, ws[:1], 0, &z, 0, M, 0, z.N, &e, nil, nil)
	}
}

// activate applies a transcendental activation to the block while it is in L2.
func (k *Kernel) activate(c []float32, ldc, M, n0, n1 int, act Act) {
	for m := range M {
		row := c[m*ldc+n0 : m*ldc+n1]
		for i, v := range row {
			row[i] = float32(act.Apply(float64(v)))
		}
	}
}

// panel returns the rows [k0, k0+kn) of the panel that begins at column n as
// floats; half-precision ones are widened into wide.
func (w *Weights) panel(n, k0, kn int, wide []float32) unsafe.Pointer {
	i := n*w.K + k0*w.nr
	if w.typ == F32 {
		return unsafe.Pointer(&w.f[i])
	}
	widen(wide[:kn*w.nr], w.h[i:i+kn*w.nr], w.typ)
	return unsafe.Pointer(unsafe.SliceData(wide))
}

func widen(dst []float32, src []uint16, typ DType) {
	if typ == F16 {
		for i, h := range src {
			dst[i] = fromF16(h)
		}
		return
	}
	for i, h := range src {
		dst[i] = fromBF16(h)
	}
}

func (k *Kernel) check(c []float32, ldc int, a []float32, lda, ka int, w *Weights, M, n0, n1 int, ep *Epilogue) {
	if w.nr != k.nr {
		panic(fmt.Sprintf("gemm: weights packed for panels of %d columns, kernel has %d", w.nr, k.nr))
	}
	if M < 0 || n0 < 0 || n1 < n0 || n1 > w.N || n0%k.nr != 0 || n1%k.nr != 0 && n1 != w.N {
		panic(fmt.Sprintf("gemm: M=%d, columns [%d,%d) of %d, panels of %d", M, n0, n1, w.N, k.nr))
	}
	if M == 0 || n0 == n1 {
		return
	}
	switch {
	case ldc < n1 || len(c) < (M-1)*ldc+n1:
		panic(fmt.Sprintf("gemm: c of %d floats, rows %d apart: too short for %d rows of %d", len(c), ldc, M, n1))
	case M > 1 && lda < ka || len(a) < (M-1)*lda+ka:
		panic(fmt.Sprintf("gemm: a of %d floats, rows %d apart: too short for %d rows of %d", len(a), lda, M, ka))
	case ep.Bias != nil && len(ep.Bias) < n1:
		panic(fmt.Sprintf("gemm: bias of %d floats, needs %d", len(ep.Bias), n1))
	case ep.Residual != nil && (ep.LDR < n1 && M > 1 || len(ep.Residual) < (M-1)*ep.LDR+n1):
		panic(fmt.Sprintf("gemm: residual of %d floats, rows %d apart: too short for %d rows of %d", len(ep.Residual), ep.LDR, M, n1))
	}
}
