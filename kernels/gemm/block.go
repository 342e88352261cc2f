package gemm

import (
	"fmt"
	"unsafe"

	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

// padA is added to the row length of a copied block of A: rows 1024 bytes
// apart would share a few sets of the L1 cache.
const padA = 16

// longest bounds the steps of k of one assembly call, which can't be
// preempted: 14 rows take 30 µs.
const longest = 8192

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
func (k *Kernel) WorkLen() int { return k.mc*k.nc + k.mc*(k.span+padA) + k.wideLen() }

// wideLen is the scratch for one widened panel and the sums of one tile.
func (k *Kernel) wideLen() int { return k.span*k.nr + k.mr*k.nr }

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
	wide, acc, rows := ws[:k.wideLen()], ws[k.wideLen():][:k.mc*k.nc], ws[k.wideLen()+k.mc*k.nc:]
	if M == 1 && k.level != isa.Portable {
		n0 = k.gemv(c, a, w, n0, n1, ep, wide)
	}
	if M <= k.mr && w.typ == F32 && w.K <= longest {
		// Each panel is used once: stream it whole, there is nothing to keep.
		k.kblock(c, ldc, a, lda, w, 0, w.K, M, n0, n1, ep, acc, wide, nil, 0)
		return
	}
	copied := M > 8 && k.mr > 8 && lda%1024 == 0 && n1-n0 >= 4*k.nr
	mblocks := (M + k.mc - 1) / k.mc
	for i := range mblocks {
		m0, m1 := cut(M, mblocks, i), cut(M, mblocks, i+1)
		e := *ep
		if e.Residual != nil {
			e.Residual = e.Residual[m0*e.LDR:]
		}
		for n := n0; n < n1; n += k.nc {
			for k0 := 0; k0 < w.K; k0 += k.span {
				k1 := min(k0+k.span, w.K)
				ak, ld := a[m0*lda+k0:], lda
				if copied {
					ld = k.span + padA
					for m := range m1 - m0 {
						copy(rows[m*ld:][:k1-k0], ak[m*lda:])
					}
					ak = rows
				}
				// The rows of A that come next are fetched into L2 meanwhile.
				var next []float32
				switch {
				case k1 < w.K:
					next = a[m0*lda+k1:]
				case n+k.nc < n1:
					next = a[m0*lda:]
				case i+1 < mblocks:
					next = a[m1*lda:]
				}
				k.kblock(c[m0*ldc:], ldc, ak, ld, w, k0, k1, m1-m0, n, min(n+k.nc, n1), &e, acc, wide, next, lda)
			}
		}
	}
}

// AccLen returns the floats of partial sums that KBlock keeps for M rows and
// the columns [n0,n1).
func (k *Kernel) AccLen(M, n0, n1 int) int { return (n1 - n0 + k.nr - 1) / k.nr * k.nr * M }

// KBlock is the part of Block that belongs to k in [k0,k1), for callers that
// gather A a few blocks of k at a time. a holds those columns of A only. The
// calls go through k in turn, in steps of KC or 2·KC; acc carries the partial
// sums (AccLen floats) and c is written by the call that reaches K.
// ws is scratch of WorkLen floats.
func (k *Kernel) KBlock(c []float32, ldc int, a []float32, lda int, w *Weights, k0, k1, M, n0, n1 int, ep *Epilogue, acc, ws []float32) {
	if k0 < 0 || k0%KC != 0 || k1 <= k0 || k1 > w.K || k1%KC != 0 && k1 != w.K || k1-k0 > longest || w.typ != F32 && k1-k0 > k.span {
		panic(fmt.Sprintf("gemm: k from %d to %d of %d", k0, k1, w.K))
	}
	k.check(c, ldc, a, lda, k1-k0, w, M, n0, n1, ep)
	if len(acc) < k.AccLen(M, n0, n1) && k1-k0 < w.K || len(ws) < k.WorkLen() {
		panic(fmt.Sprintf("gemm: scratch of %d and %d floats, needs %d and %d", len(acc), len(ws), k.AccLen(M, n0, n1), k.WorkLen()))
	}
	k.kblock(c, ldc, a, lda, w, k0, k1, M, n0, n1, ep, acc, ws[:k.wideLen()], nil, 0)
}

// kblock is KBlock without checks; next holds rows, ldn apart, that will be
// wanted afterwards.
func (k *Kernel) kblock(c []float32, ldc int, a []float32, lda int, w *Weights, k0, k1, M, n0, n1 int, ep *Epilogue, acc, wide, next []float32, ldn int) {
	t := tile{lda: uintptr(4 * lda), k: k1 - k0, ldc: uintptr(4 * ldc), ldr: uintptr(4 * ep.LDR), scale: ep.Scale, flags: ep.flags(), chain: w.chain()}
	if k0 > 0 {
		t.flags |= loadAcc
	}
	if k1 < w.K {
		t.flags |= storeAcc
	}
	// Sums that live no longer than a call need one tile.
	t.acc = unsafe.Pointer(&wide[k.span*k.nr])
	kept := t.flags&(loadAcc|storeAcc) != 0
	mr := k.mr
	if k1 == w.K && ldc%1024 == 0 {
		// Rows of C 4096 bytes apart share one set of L1: the 14 lines that a tall
		// tile stores there evict each other while they wait (850x256x2048: 180
		// GFLOP/s, 225 with 7 rows).
		mr = min(mr, 7)
	}
	tiles := (M + mr - 1) / mr
	parts := min(tiles, 4) // the tiles that share the fetching of the next panel
	// A tile fetches one row of next, or its share of all where they have no gaps.
	fetch, advance := t.k, ldn
	if ldn == t.k {
		fetch = min(8*t.k, M*ldn/max(1, (tiles-4)*(n1-n0)/k.nr)+16)
		advance = fetch
	}
	for n := n0; n < n1; n += k.nr {
		t.b = k.panel(w, n, k0, t.k, wide)
		t.cols = min(k.nr, w.N-n)
		if ep.Bias != nil {
			t.bias = unsafe.Pointer(&ep.Bias[n])
		}
		for i := range tiles {
			m := cut(M, tiles, i)
			t.rows = cut(M, tiles, i+1) - m
			t.a = unsafe.Pointer(&a[m*lda])
			t.c = unsafe.Pointer(&c[m*ldc+n])
			if kept {
				t.acc = unsafe.Pointer(&acc[(n-n0)*M+m*k.nr])
			}
			if ep.Residual != nil {
				t.res = unsafe.Pointer(&ep.Residual[m*ep.LDR+n])
			}
			// The next panel comes into L2 during the first tiles of this one,
			// the next rows of A during the others.
			t.ahead, t.aheadStep = t.a, 0
			if part := t.k * k.nr / parts; i < parts && n+k.nr < n1 && w.typ == F32 {
				t.ahead, t.aheadStep = unsafe.Pointer(&w.f[(n+k.nr)*w.K+k0*k.nr+i*part]), uintptr(8*k.nr/parts)
			} else if len(next) > 0 {
				t.ahead, t.aheadStep = unsafe.Pointer(&next[0]), uintptr(8*fetch/t.k)
				next = next[min(advance, len(next)):]
			}
			k.run(&t)
		}
	}
	if k1 == w.K && ep.Act > ref.ReLU {
		k.activate(c, ldc, M, n0, n1, ep.Act)
	}
}

// gemv does one row four panels at a time, as many as there are, and returns
// the column where it stopped.
func (k *Kernel) gemv(c, a []float32, w *Weights, n0, n1 int, ep *Epilogue, wide []float32) int {
	row, n := uintptr(4*k.nr), n0
	u := tile{kind: wideF32 + int(w.typ), bstep: uintptr(w.typ.Size() * k.nr * w.K), rows: 4, cols: k.nr,
		ldc: row, ldr: row, biasStep: row, acc: unsafe.Pointer(&wide[0]), scale: ep.Scale, chain: KC}
	for ; n+4*k.nr <= n1; n += 4 * k.nr {
		u.c = unsafe.Pointer(&c[n])
		if ep.Bias != nil {
			u.bias = unsafe.Pointer(&ep.Bias[n])
		}
		if ep.Residual != nil {
			u.res = unsafe.Pointer(&ep.Residual[n])
		}
		u.flags = ep.flags() | storeAcc
		for k0 := 0; k0 < w.K; k0 += w.chain() {
			u.k = min(w.chain(), w.K-k0)
			u.a = unsafe.Pointer(&a[k0])
			if i := n*w.K + k0*k.nr; w.typ == F32 {
				u.b = unsafe.Pointer(&w.f[i])
			} else {
				u.b = unsafe.Pointer(&w.h[i])
			}
			if k0+w.chain() >= w.K {
				u.flags &^= storeAcc
			}
			k.run(&u)
			u.flags |= loadAcc
		}
	}
	if ep.Act > ref.ReLU {
		k.activate(c, 0, 1, n0, n, ep.Act)
	}
	return n
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
		k.kblock(c[n:], ldc, ws[:1], 0, &z, 0, 1, M, 0, z.N, &e, nil, ws[k.nr+1:], nil, 0)
	}
}

// activate applies a transcendental activation to the block while it is in L2.
func (k *Kernel) activate(c []float32, ldc, M, n0, n1 int, act Act) {
	for m := range M {
		row := c[m*ldc+n0 : m*ldc+n1]
		k.elem.Act(row, row, act)
	}
}

// panel returns the rows [k0, k0+kn) of the panel that begins at column n as
// floats; half-precision ones are widened into wide.
func (k *Kernel) panel(w *Weights, n, k0, kn int, wide []float32) unsafe.Pointer {
	i := n*w.K + k0*k.nr
	if w.typ == F32 {
		return unsafe.Pointer(&w.f[i])
	}
	k.widen(wide[:kn*k.nr], halfBytes(w.h[i:]), w.typ)
	return unsafe.Pointer(unsafe.SliceData(wide))
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
