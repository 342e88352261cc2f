package conv

import (
	"fmt"

	"syntic/kernels/gemm"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// Op is a convolution of one shape, ready to run on one pool.
//
// Concurrency: one Run at a time per Op and per pool.
type Op struct {
	spec Spec
	geo  ref.Conv2D
	k    *Kernel
	pool *par.Pool
	algo Algo
	key  string
	plan plan

	// The operands of the current Run, for the pool's tasks.
	dst, x, bias, residual, ws   []float32
	w                            *Weights
	norm                         *Norm
	super                        int
	chunk                        int
	ep                           []gemm.Epilogue // one per worker
	points                       []gemm.Weights  // one per worker: a point's expanded weights
	fused, fill, multiply, store func(worker, task int)
	expand                       func(worker, task int)
}

// Norm holds the prologue's factors, both [N,C].
type Norm struct{ Scale, Shift []float32 }

// Weights are a convolution's weights in the layout of one algorithm and
// instruction set. They are read-only once packed.
type Weights struct {
	key    string
	mats   []*gemm.Weights // one per group
	taps   []float32       // depthwise: [KH,KW,C]; bandShape: panels; Winograd: see packTaps3
	halves []uint16        // taps of Winograd in half precision
	typ    gemm.DType      // of Winograd's taps
}

// Bytes returns the memory that the weights take.
func (w *Weights) Bytes() int {
	n := 4*len(w.taps) + 2*len(w.halves)
	for _, m := range w.mats {
		n += m.Bytes()
	}
	return n
}

// New plans the convolution and reserves the pool's scratch.
//
// Panics: if s.Check returns an error.
func New(k *Kernel, pool *par.Pool, s Spec) *Op {
	if err := s.Check(); err != nil {
		panic(err)
	}
	o := &Op{spec: s, geo: s.geometry(), k: k, pool: pool, algo: k.Choose(s)}
	o.key = o.makeKey()
	o.ep, o.points = make([]gemm.Epilogue, pool.Workers()), make([]gemm.Weights, pool.Workers())
	o.plan = newPlan(o)
	pool.Reserve(o.plan.scratch)
	o.fused, o.fill, o.multiply, o.store, o.expand = o.runFused, o.runFill, o.runMultiply, o.runStore, o.runExpand
	switch {
	case o.algo == Depthwise:
		o.fused = o.runDepthwise
	case o.bandShape():
		o.fused = o.runBand
	}
	return o
}

// Algorithm returns what New chose.
func (o *Op) Algorithm() Algo { return o.algo }

// WeightsKey names the layout that Pack makes: Ops with equal keys share
// packed weights of the same values.
func (o *Op) WeightsKey() string { return o.key }

func (o *Op) makeKey() string {
	g := o.geo
	kind := o.algo.String()
	if o.bandShape() {
		kind += "-band"
	}
	if o.tile() > 0 {
		kind = "winograd" // F2 and F4 share the taps
	}
	return fmt.Sprintf("conv/%v/%v/%dx%dx%dx%d/g%d/%d", o.k.level, kind, g.O, g.C, g.KH, g.KW, g.Groups, o.spec.Storage)
}

// Pack converts weights from a checkpoint's layout.
//
// Shapes: w [O,C/Groups,KH,KW]. Aliasing: w is not kept.
func (o *Op) Pack(w []float32) *Weights {
	g := o.geo
	if want := g.O * (g.C / g.Groups) * g.KH * g.KW; len(w) != want {
		panic(fmt.Sprintf("conv: %d weights, want %d", len(w), want))
	}
	p := &Weights{key: o.key}
	switch o.algo {
	case Depthwise:
		p.taps = packTaps(w, g)
	case WinogradF2, WinogradF4:
		return o.packTaps3(w)
	default:
		if o.bandShape() {
			p.taps = o.packBand(w)
		} else {
			p.mats = o.packDirect(w)
		}
	}
	return p
}

// WeightBytes returns the memory that packed weights take.
func (o *Op) WeightBytes() int {
	g, k := o.geo, o.k.gemm
	switch {
	case o.algo == Depthwise:
		return 4 * g.C * g.KH * g.KW
	case o.tile() > 0:
		return o.spec.Storage.Size() * k.PackedLen(9*g.C, g.O)
	}
	size := o.spec.Storage.Size()
	if o.bandShape() {
		size = 4
	}
	return size * g.Groups * k.PackedLen(g.C/g.Groups*g.KH*g.KW, g.O/g.Groups)
}

// Workspace returns how many floats of temporary memory Run needs. They may be
// shared with anything that does not run at the same time.
func (o *Op) Workspace() int { return o.plan.workspace }

// Run computes the convolution.
//
// Shapes: dst and residual [N,OutH,OutW,O], x [N,H,W,C], bias [O]; bias,
// residual and norm are read only where the Spec has them; ws at least
// Workspace() floats, best aligned to 64 bytes.
// Aliasing: dst may be residual; otherwise operands must not overlap.
// Allocs: none. Panics: on slices too short, or weights of another layout.
func (o *Op) Run(dst, x []float32, w *Weights, bias, residual []float32, norm *Norm, ws []float32) {
	g := o.geo
	outs := g.N * g.OutH() * g.OutW() * g.O
	switch {
	case len(dst) < outs || len(x) < g.N*g.H*g.W*g.C || len(ws) < o.plan.workspace,
		o.spec.Bias && len(bias) < g.O, o.spec.Residual && len(residual) < outs,
		o.spec.Norm && (norm == nil || len(norm.Scale) < g.N*g.C || len(norm.Shift) < g.N*g.C):
		panic("conv: an operand of Run is too short for " + o.key)
	case w.key != o.key:
		panic("conv: weights " + w.key + " given to " + o.key)
	}
	if !o.spec.Bias {
		bias = nil
	}
	if !o.spec.Residual {
		residual = nil
	}
	o.dst, o.x, o.w, o.bias, o.residual, o.norm, o.ws = dst[:outs], x, w, bias, residual, norm, ws
	o.chunk = 0
	switch {
	case o.plan.points > 1:
		o.runWinograd()
	case !o.plan.split:
		o.pool.Run(o.plan.fusedTasks, o.fused)
	default:
		for o.super = range o.plan.supers {
			o.pool.Run(o.plan.fills(o.super), o.fill)
			o.pool.Run(o.plan.multiplies(o.super), o.multiply)
		}
	}
	o.dst, o.x, o.w, o.bias, o.residual, o.norm, o.ws = nil, nil, nil, nil, nil, nil, nil
	clear(o.points)
}

// runWinograd expands weights chunk by chunk: each chunk once, or once for every
// super-block where there are several of both.
func (o *Op) runWinograd() {
	p := &o.plan
	if p.chunks == 1 {
		o.pool.Run(p.expands(o, 0), o.expand)
	}
	if !p.split {
		o.pool.Run(p.fusedTasks, o.fused)
		return
	}
	for o.super = range p.supers {
		o.pool.Run(p.fills(o.super), o.fill)
		for o.chunk = range p.chunks {
			if p.chunks > 1 {
				o.pool.Run(p.expands(o, o.chunk), o.expand)
			}
			o.pool.Run(p.points*p.subs(o.super), o.multiply)
		}
		o.pool.Run(p.stores(o.super), o.store)
	}
}
