package conv

import (
	"math"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// PoolSpec says what a pooling computes. Zero means 1 for strides and
// dilations.
type PoolSpec struct {
	N, H, W, C             int // x is [N,H,W,C], y is [N,OutH,OutW,C]
	KH, KW                 int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	// Mean gives the mean, else the maximum: padding never wins it, NaN does.
	Mean bool
	// CountPad divides a mean by KH·KW always, else by the values inside x.
	CountPad bool
}

func (s PoolSpec) geometry() ref.Conv2D {
	return Spec{N: s.N, H: s.H, W: s.W, C: s.C, O: s.C, KH: s.KH, KW: s.KW, StrideH: s.StrideH, StrideW: s.StrideW,
		PadT: s.PadT, PadL: s.PadL, PadB: s.PadB, PadR: s.PadR, DilH: s.DilH, DilW: s.DilW}.geometry()
}

// OutH returns the height of the result, 0 if the window does not fit.
func (s PoolSpec) OutH() int { return s.geometry().OutH() }

// OutW returns the width of the result, 0 if the window does not fit.
func (s PoolSpec) OutW() int { return s.geometry().OutW() }

// Check returns an error that says which size is impossible.
func (s PoolSpec) Check() error { return s.geometry().Check() }

// PoolOp is a pooling of one shape, ready to run on one pool of workers.
//
// Concurrency: one Run at a time.
type PoolOp struct {
	spec   PoolSpec
	geo    ref.Conv2D
	k      *Kernel
	pool   *par.Pool
	dst, x []float32
	row    func(worker, task int)
}

// NewPool plans a pooling.
//
// Panics: if s.Check returns an error.
func NewPool(k *Kernel, pool *par.Pool, s PoolSpec) *PoolOp {
	if err := s.Check(); err != nil {
		panic(err)
	}
	o := &PoolOp{spec: s, geo: s.geometry(), k: k, pool: pool}
	o.row = o.runRow
	return o
}

// Run computes the pooling: the same as ref.MaxPool, or as ref.AvgPool within
// 1 ULP per tap.
//
// Shapes: dst [N,OutH,OutW,C], x [N,H,W,C], which must not overlap.
// Allocs: none. Panics: on slices too short.
func (o *PoolOp) Run(dst, x []float32) {
	g := o.geo
	outs := g.N * g.OutH() * g.OutW() * g.C
	if len(dst) < outs || len(x) < g.N*g.H*g.W*g.C {
		panic("conv: an operand of a pooling is too short")
	}
	o.dst, o.x = dst[:outs], x
	o.pool.Run(g.N*g.OutH(), o.row)
	o.dst, o.x = nil, nil
}

// runRow computes one output row of one picture.
func (o *PoolOp) runRow(_, task int) {
	g := o.geo
	oh, ow := g.OutH(), g.OutW()
	h := task%oh*g.StrideH - g.PadT
	kh0, kh1 := inside(h, g.DilH, g.KH, g.H)
	pic := o.x[task/oh*g.H*g.W*g.C:]
	for q := range ow {
		y := o.dst[(task*ow+q)*g.C:][:g.C]
		w := q*g.StrideW - g.PadL
		kw0, kw1 := inside(w, g.DilW, g.KW, g.W)
		if !o.spec.Mean {
			if kh0 == kh1 || kw0 == kw1 {
				fill(y, float32(math.Inf(-1)))
				continue
			}
			first := pic[((h+kh0*g.DilH)*g.W+w+kw0*g.DilW)*g.C:]
			o.k.maxTaps(y, first, kh1-kh0, kw1-kw0, g.DilH*g.W*g.C, g.DilW*g.C, g.C)
			continue
		}
		clear(y)
		for kh := kh0; kh < kh1; kh++ {
			for kw := kw0; kw < kw1; kw++ {
				x := pic[((h+kh*g.DilH)*g.W+w+kw*g.DilW)*g.C:][:g.C]
				o.k.elem.Add(y, y, x)
			}
		}
		n := (kh1 - kh0) * (kw1 - kw0)
		if o.spec.CountPad {
			n = g.KH * g.KW
		}
		for i := range y {
			y[i] /= float32(n)
		}
	}
}

func fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

type maxTapsFunc func(dst, src []float32, kh, kw, row, col, c int)

// maxTaps sets dst[i] to the largest of src[r·row+s·col+i] over kh rows and kw
// columns of taps, NaN if one is.
func maxTaps(dst, src []float32, kh, kw, row, col, c int) {
	for i := range c {
		m := src[i]
		for r := range kh {
			for s := range kw {
				m = max(m, src[r*row+s*col+i])
			}
		}
		dst[i] = m
	}
}
