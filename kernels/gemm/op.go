package gemm

import "syntic/kernels/par"

// Spec fixes one product's shape. Strides of 0 mean no gap.
type Spec struct {
	M, N, K       int
	LDA, LDC, LDR int
	Scale         float32 // 0 means 1
	Act           Act
}

// Op is a planned multi-threaded C = epilogue(A·B).
//
// Concurrency: one Run at a time for all Ops of a pool.
type Op struct {
	k      *Kernel
	pool   *par.Pool
	s      Spec
	mb, nb int // rows and columns of a pool tile
	mt     int // tiles along M
	tiles  int
	fn     func(worker, tile int)
	c, a   []float32
	w      *Weights
	ep     Epilogue
}

// NewOp plans a product and reserves the workers' scratch.
func NewOp(k *Kernel, pool *par.Pool, s Spec) *Op {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&s.LDA, s.K)
	def(&s.LDC, s.N)
	def(&s.LDR, s.N)
	o := &Op{k: k, pool: pool, s: s, ep: Epilogue{Scale: s.Scale, LDR: s.LDR, Act: s.Act}}
	o.mb, o.nb = k.split(s.M, s.N, s.K, pool.Workers())
	o.mt = (s.M + o.mb - 1) / max(o.mb, 1)
	o.tiles = o.mt * ((s.N + o.nb - 1) / o.nb)
	o.fn = o.tile
	pool.Reserve(k.WorkLen())
	return o
}

// split chooses the tile of C that a worker takes at a time: as large as the
// cache allows, small enough that the workers finish together.
func (k *Kernel) split(M, N, K, workers int) (mb, nb int) {
	mblocks := max(1, (M+k.mc-1)/k.mc)
	mb = max(1, (M+mblocks-1)/mblocks)
	panels := max(1, (N+k.nr-1)/k.nr)
	per := min(panels, k.nc/k.nr)
	if workers > 1 {
		// About four tiles a worker, but none under ~10 µs of work.
		want := max(1, mblocks*panels/(4*workers))
		least := max(1, (1<<20)/max(1, mb*K*k.nr))
		per = min(per, max(want, least))
	}
	return mb, per * k.nr
}

// Run computes c = act(scale·a·w + bias + residual); bias and residual may be
// nil.
//
// Aliasing: c may be the residual, with the same stride; not a.
// Allocs: none.
// Panics: if w has another shape than planned, or a slice is too short.
func (o *Op) Run(c, a []float32, w *Weights, bias, residual []float32) {
	if w.K != o.s.K || w.N != o.s.N {
		panic("gemm: Run with weights of another shape than planned")
	}
	o.c, o.a, o.w, o.ep.Bias, o.ep.Residual = c, a, w, bias, residual
	o.pool.Run(o.tiles, o.fn)
	o.c, o.a, o.w, o.ep.Bias, o.ep.Residual = nil, nil, nil, nil, nil
}

func (o *Op) tile(worker, i int) {
	m0, n0 := i%o.mt*o.mb, i/o.mt*o.nb
	m, n1 := min(o.mb, o.s.M-m0), min(n0+o.nb, o.s.N)
	ep := o.ep
	if ep.Residual != nil {
		ep.Residual = ep.Residual[m0*o.s.LDR:]
	}
	o.k.Block(o.c[m0*o.s.LDC:], o.s.LDC, o.a[m0*o.s.LDA:], o.s.LDA, o.w, m, n0, n1, &ep, o.pool.Scratch(worker))
}
