package elem

import (
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// Split runs a function over [0,n) in chunks on a pool's workers. The chunks
// don't depend on the number of workers, so neither does the result.
type Split struct {
	pool     *par.Pool
	n, chunk int
	fn       func(lo, hi int)
	tile     func(worker, tile int)
}

// NewSplit returns a Split that calls fn(lo, hi) for consecutive ranges of
// chunk indices (the last may be shorter). fn is called by several goroutines.
func NewSplit(p *par.Pool, n, chunk int, fn func(lo, hi int)) *Split {
	if n < 0 || chunk <= 0 {
		fail("%d elements in chunks of %d", n, chunk)
	}
	s := &Split{pool: p, n: n, chunk: chunk, fn: fn}
	s.tile = func(_, t int) { s.fn(t*s.chunk, min((t+1)*s.chunk, s.n)) }
	return s
}

// Run returns when fn has returned for every range. Allocs: none.
func (s *Split) Run() { s.pool.Run((s.n+s.chunk-1)/s.chunk, s.tile) }

// ChunkLen is the default size of a chunk of a memory-bound operation, in
// elements: 64 KB of each operand, some 5 µs of work against 1 µs of dispatch.
const ChunkLen = 16384

// Unary applies an activation with a pool's workers.
type Unary struct {
	k      *Kernel
	act    ref.Act
	dst, x []float32
	split  *Split
}

// NewUnary plans the activation a of n elements.
func (k *Kernel) NewUnary(p *par.Pool, n int, a ref.Act) *Unary {
	u := &Unary{k: k, act: a}
	u.split = NewSplit(p, n, ChunkLen, func(lo, hi int) { u.k.Act(u.dst[lo:hi], u.x[lo:hi], u.act) })
	return u
}

// Run sets dst = a(x). Allocs: none. Concurrency: one Run at a time.
// Aliasing: dst may be x.
func (u *Unary) Run(dst, x []float32) {
	sameLen(len(dst), u.split.n)
	sameLen(len(x), u.split.n)
	u.dst, u.x = dst, x
	u.split.Run()
	u.dst, u.x = nil, nil
}
