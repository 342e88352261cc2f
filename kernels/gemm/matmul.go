package gemm

import (
	"fmt"

	"syntic/kernels/par"
)

// MatMulSpec fixes a batch of products of two activations,
// C[i] [M,N] = Scale·A[i] [M,K] · B[i]. Strides of 0 mean no gap; to use one B
// for the whole batch, fold the batch into M.
type MatMulSpec struct {
	Batch, M, N, K            int
	Layout                    Layout // of B[i]
	Scale                     float32
	LDA, LDB, LDC             int
	StrideA, StrideB, StrideC int
}

// MatMul is a planned batch of products: B is packed anew by every Run.
//
// Concurrency: one Run at a time for all users of a pool.
type MatMul struct {
	k             *Kernel
	pool          *par.Pool
	s             MatMulSpec
	g             grid // of one product
	packed        int  // floats of one packed B
	packFn, mulFn func(worker, tile int)
	c, a, b, ws   []float32
}

// NewMatMul plans the batch and reserves the workers' scratch.
func NewMatMul(k *Kernel, pool *par.Pool, s MatMulSpec) *MatMul {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&s.LDA, s.K)
	def(&s.LDC, s.N)
	rowsB := s.K
	if s.Layout == NK {
		rowsB = s.N
		def(&s.LDB, s.K)
	} else {
		def(&s.LDB, s.N)
	}
	def(&s.StrideA, s.M*s.LDA)
	def(&s.StrideB, rowsB*s.LDB)
	def(&s.StrideC, s.M*s.LDC)
	m := &MatMul{k: k, pool: pool, s: s, packed: k.PackedLen(s.K, s.N)}
	workers := (pool.Workers() + max(1, s.Batch) - 1) / max(1, s.Batch)
	m.g = k.split(s.M, s.N, s.K, workers)
	m.packFn, m.mulFn = m.pack, m.mul
	pool.Reserve(k.WorkLen())
	return m
}

// WorkLen returns the floats of workspace that Run needs: the packed Bs.
func (m *MatMul) WorkLen() int { return m.s.Batch * m.packed }

// Run computes the batch.
//
// Aliasing: c overlaps nothing else; a and b may be the same.
// Allocs: none.
// Panics: if a slice is too short.
func (m *MatMul) Run(c, a, b, ws []float32) {
	if len(ws) < m.WorkLen() {
		panic(fmt.Sprintf("gemm: workspace of %d floats, needs %d", len(ws), m.WorkLen()))
	}
	m.c, m.a, m.b, m.ws = c, a, b, ws
	m.pool.Run(m.s.Batch*m.g.nt, m.packFn)
	m.pool.Run(m.s.Batch*m.g.nt*m.g.mt, m.mulFn)
	m.c, m.a, m.b, m.ws = nil, nil, nil, nil
}

func (m *MatMul) pack(_, i int) {
	n0, n1 := m.g.columns(i % m.g.nt)
	i /= m.g.nt
	m.k.PackPanels(m.ws[i*m.packed:(i+1)*m.packed], m.b[i*m.s.StrideB:], m.s.LDB, m.s.Layout, m.s.K, m.s.N, n0, n1)
}

func (m *MatMul) mul(worker, i int) {
	s := &m.s
	m0, m1, n0, n1 := m.g.tile(i % (m.g.mt * m.g.nt))
	i /= m.g.mt * m.g.nt
	w := m.k.View(m.ws[i*m.packed:(i+1)*m.packed], s.K, s.N)
	ep := Epilogue{Scale: s.Scale}
	m.k.Block(m.c[i*s.StrideC+m0*s.LDC:], s.LDC, m.a[i*s.StrideA+m0*s.LDA:], s.LDA, &w,
		m1-m0, n0, n1, &ep, m.pool.Scratch(worker))
}
