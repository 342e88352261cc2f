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
	k    *Kernel
	pool *par.Pool
	s    Spec
	g    grid
	fn   func(worker, tile int)
	c, a []float32
	w    *Weights
	ep   Epilogue
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
	o.g = k.split(s.M, s.N, s.K, pool.Workers())
	o.fn = o.tile
	pool.Reserve(k.WorkLen())
	return o
}

// grid cuts C into mt × nt tiles of almost the same size.
type grid struct {
	M, N   int
	mt, nt int
	unit   int // columns that stay together
}

// split chooses the tiles that the workers take one at a time: as large as the
// cache allows, but about four for each worker and an even share at the end.
func (k *Kernel) split(M, N, K, workers int) grid {
	g := grid{M: M, N: N, mt: (M + k.mc - 1) / k.mc, unit: k.nr}
	if M == 1 {
		g.unit = 4 * k.nr // one row goes through four panels at a time
	}
	units := (N + g.unit - 1) / g.unit
	g.nt = (N + k.nc - 1) / k.nc
	most := min(8*workers, M*N*K>>20) // a tile is a million multiply-adds, ~10 µs, or more
	uneven := func(tiles int) bool { return tiles < 4*workers || tiles%workers != 0 }
	for workers > 1 && g.nt < units && g.mt*g.nt < most && uneven(g.mt*g.nt) {
		g.nt++
	}
	return g
}

// tile returns the rows [m0,m1) and columns [n0,n1) of tile i.
func (g *grid) tile(i int) (m0, m1, n0, n1 int) {
	m0, m1 = cut(g.M, g.mt, i%g.mt), cut(g.M, g.mt, i%g.mt+1)
	n0, n1 = g.columns(i / g.mt)
	return m0, m1, n0, n1
}

// columns returns the columns of the tiles in column i of the grid.
func (g *grid) columns(i int) (n0, n1 int) {
	units := (g.N + g.unit - 1) / g.unit
	return cut(units, g.nt, i) * g.unit, min(g.N, cut(units, g.nt, i+1)*g.unit)
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
	o.pool.Run(o.g.mt*o.g.nt, o.fn)
	o.c, o.a, o.w, o.ep.Bias, o.ep.Residual = nil, nil, nil, nil, nil
}

func (o *Op) tile(worker, i int) {
	m0, m1, n0, n1 := o.g.tile(i)
	ep := o.ep
	if ep.Residual != nil {
		ep.Residual = ep.Residual[m0*o.s.LDR:]
	}
	o.k.Block(o.c[m0*o.s.LDC:], o.s.LDC, o.a[m0*o.s.LDA:], o.s.LDA, o.w, m1-m0, n0, n1, &ep, o.pool.Scratch(worker))
}
