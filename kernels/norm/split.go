package norm

import (
	"syntic/kernels/elem"
	"syntic/kernels/par"
)

// Rows applies one of the row functions with a pool's workers.
type Rows struct {
	fn           func(dst, x, w, b []float32)
	dst, x, w, b []float32
	m, n         int
	split        *elem.Split
}

// NewLayerNorm plans LayerNorm of m rows of n.
func (k *Kernel) NewLayerNorm(p *par.Pool, m, n int, eps float32) *Rows {
	return newRows(p, m, n, func(dst, x, w, b []float32) { k.LayerNorm(dst, x, w, b, n, eps) })
}

// NewSoftmax plans Softmax of m rows of n, of which the first valid count.
func (k *Kernel) NewSoftmax(p *par.Pool, m, n, valid int, scale float32) *Rows {
	return newRows(p, m, n, func(dst, x, _, _ []float32) { k.Softmax(dst, x, n, valid, scale) })
}

// NewLogSoftmax plans LogSoftmax of m rows of n.
func (k *Kernel) NewLogSoftmax(p *par.Pool, m, n int) *Rows {
	return newRows(p, m, n, func(dst, x, _, _ []float32) { k.LogSoftmax(dst, x, n) })
}

// NewL2Normalize plans L2Normalize of m rows of n.
func (k *Kernel) NewL2Normalize(p *par.Pool, m, n int) *Rows {
	return newRows(p, m, n, func(dst, x, _, _ []float32) { k.L2Normalize(dst, x, n) })
}

func newRows(p *par.Pool, m, n int, fn func(dst, x, w, b []float32)) *Rows {
	if m < 0 || n <= 0 {
		fail("%d rows of %d", m, n)
	}
	r := &Rows{fn: fn, m: m, n: n}
	r.split = elem.NewSplit(p, m, max(1, rowsChunk/n), func(lo, hi int) {
		r.fn(r.dst[lo*r.n:hi*r.n], r.x[lo*r.n:hi*r.n], r.w, r.b)
	})
	return r
}

// rowsChunk is how many elements one tile of rows has: about 4 µs of work.
const rowsChunk = 8192

// Run sets dst from x; w and b are LayerNorm's weight and bias, nil for the
// others. Allocs: none. Concurrency: one Run at a time. Aliasing: dst may be x.
func (r *Rows) Run(dst, x, w, b []float32) {
	if len(x) != r.m*r.n || len(dst) != len(x) {
		fail("lengths %d and %d, want %d", len(dst), len(x), r.m*r.n)
	}
	r.dst, r.x, r.w, r.b = dst, x, w, b
	r.split.Run()
	r.dst, r.x, r.w, r.b = nil, nil, nil, nil
}
