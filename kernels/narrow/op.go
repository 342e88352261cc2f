package narrow

import (
	"fmt"
	"unsafe"

	"syntic/kernels/conv"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// Op is a product or convolution of one shape, ready to run on one pool.
//
// Concurrency: one Run at a time per Op and per pool.
type Op struct {
	k        *Kernel
	pool     *par.Pool
	geo      ref.Conv2D
	act      ref.Act
	normAct  ref.Act
	hasBias  bool
	residual bool
	norm     bool
	ldx      int // floats from pixel to pixel of x, of the result and of the residual
	ldc, ldr int
	key      string
	layout
	stream bool // the result fits no cache: it is stored past them

	// The operands of the current Run, for the pool's tasks.
	dst, x, bias, res []float32
	a                 []uint32
	w                 *Weights
	stats             *conv.Norm
	super             int
	fillFn, multFn    func(worker, task int)
}

// tempLen is the most floats that are rounded at a time: they stay in L1.
const tempLen = 4096

// streamFrom is the size in bytes of such a result. Its rows are kilobytes apart, so
// that its lines would also share few sets of the caches: 8192 rows times 320×2560
// took twice as long.
const streamFrom = 32 << 20

// FitsConv reports whether these kernels should compute a convolution, given the
// algorithm that float32 would take. Others stay float32: grouped and depthwise ones;
// in bfloat16 first layers, whose few channels would be padded to 32, and without AMX
// those that Winograd's F(4×4) computes in less time (512 channels of 64×64: 61 ms for
// 91); in int8 those of fewer than 64 channels, where Winograd's algorithms are faster,
// and last layers, which cost little and whose errors no later layer averages: the
// autoencoder's results err by 7 % less.
func (k *Kernel) FitsConv(s conv.Spec, float32s conv.Algo) bool {
	switch {
	case s.Groups > 1:
		return false
	case k.with == isa.AVX512VNNI:
		return s.C >= 64 && s.O >= 16
	case k.with == isa.AVX512BF16 && float32s == conv.WinogradF4:
		return false
	}
	return s.C >= 16
}

// NewProduct plans C = act(A·B + bias + residual) and reserves the pool's scratch.
// Scale is not supported.
//
// Panics: if a size is below 1, or a stride too short.
func NewProduct(k *Kernel, pool *par.Pool, s gemm.Spec) *Op {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&s.LDA, s.K)
	def(&s.LDC, s.N)
	def(&s.LDR, s.N)
	if min(s.M, s.N, s.K) < 1 || s.LDA < s.K || s.LDC < s.N || s.LDR < s.N || s.Scale != 0 && s.Scale != 1 {
		panic(fmt.Sprintf("narrow: impossible product %+v", s))
	}
	o := &Op{k: k, pool: pool, act: s.Act, ldx: s.LDA, ldc: s.LDC, ldr: s.LDR, hasBias: true, residual: true,
		geo: ref.Conv2D{N: 1, H: s.M, W: 1, C: s.K, O: s.N, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}}
	return o.plan(fmt.Sprintf("%s/linear/%dx%d", k.with, s.K, s.N))
}

// NewConv plans a convolution and reserves the pool's scratch. Algorithm,
// MaxError and Storage of the Spec don't count.
//
// Panics: if s.Check returns an error, or s has groups.
func NewConv(k *Kernel, pool *par.Pool, s conv.Spec) *Op {
	s.Algorithm = conv.Direct
	if err := s.Check(); err != nil {
		panic(err)
	}
	if s.Groups > 1 {
		panic(fmt.Sprintf("narrow: a convolution of %d groups", s.Groups))
	}
	one := func(v int) int { return max(v, 1) }
	o := &Op{k: k, pool: pool, act: s.Act, normAct: s.NormAct, hasBias: s.Bias, residual: s.Residual, norm: s.Norm, ldx: s.C, ldc: s.O, ldr: s.O,
		geo: ref.Conv2D{N: s.N, H: s.H, W: s.W, C: s.C, O: s.O, KH: s.KH, KW: s.KW,
			StrideH: one(s.StrideH), StrideW: one(s.StrideW), PadT: s.PadT, PadL: s.PadL, PadB: s.PadB, PadR: s.PadR,
			DilH: one(s.DilH), DilW: one(s.DilW), Groups: 1}}
	if o.pointwise() { // a column of pixels
		o.geo.H, o.geo.W = s.H*s.W, 1
	}
	return o.plan(fmt.Sprintf("%s/conv/%dx%dx%dx%d", k.with, s.O, s.C, s.KH, s.KW))
}

func (o *Op) plan(key string) *Op {
	o.key = key
	o.layout = newLayout(o)
	o.stream = 4*o.geo.N*o.geo.OutH()*o.geo.OutW()*o.ldc >= streamFrom && o.ldc%16 == 0 && o.act <= ref.ReLU
	o.fillFn, o.multFn = o.runFill, o.runMultiply
	sums := o.k.rows * cols
	if o.steps > o.chunk {
		sums = o.sums * up(o.geo.O, cols) / cols
	}
	o.pool.Reserve(max(sums, tempLen, o.geo.C))
	return o
}

// pointwise reports whether a receptive field is one pixel and every pixel is
// one.
func (o *Op) pointwise() bool {
	g := o.geo
	return g.KH == 1 && g.KW == 1 && g.StrideH == 1 && g.StrideW == 1 && g.PadT+g.PadL+g.PadB+g.PadR == 0
}

// WeightsKey names the layout of the packed weights: Ops with equal keys share
// packed weights of the same values.
func (o *Op) WeightsKey() string { return o.key }

// WeightBytes returns the memory that packed weights take.
func (o *Op) WeightBytes() int { return 4 * o.steps * o.b * up(o.geo.O, cols) / cols }

// Workspace returns how many floats of temporary memory Run needs. They may be
// shared with anything that does not run at the same time.
func (o *Op) Workspace() int { return o.workspace }

// Run computes the product or convolution.
//
// Shapes: as for gemm.Op and conv.Op; bias and residual may be nil for a product,
// and are read only where the Spec has them for a convolution; ws at least
// Workspace() floats, best aligned to 64 bytes.
// Aliasing: dst may be residual, with the same stride; otherwise operands must
// not overlap.
// Allocs: none. Panics: on slices too short, or weights of another shape.
func (o *Op) Run(dst, x []float32, w *Weights, bias, residual []float32, norm *conv.Norm, ws []float32) {
	g := o.geo
	in, out := g.N*g.H*g.W-1, g.N*g.OutH()*g.OutW()-1
	if !o.hasBias {
		bias = nil
	}
	if !o.residual {
		residual = nil
	}
	switch {
	case len(dst) < out*o.ldc+g.O || len(x) < in*o.ldx+g.C || len(ws) < o.workspace,
		bias != nil && len(bias) < g.O, residual != nil && len(residual) < out*o.ldr+g.O,
		o.norm && (norm == nil || len(norm.Scale) < g.N*g.C || len(norm.Shift) < g.N*g.C):
		panic("narrow: an operand of Run is too short for " + o.key)
	case w.kh != g.KH || w.kw != g.KW || w.c != g.C || w.n != g.O:
		panic("narrow: weights of another shape given to " + o.key)
	}
	o.dst, o.x, o.bias, o.res, o.w, o.stats, o.a = dst, x, bias, residual, w, norm, words(ws[:o.workspace])
	for o.super = range o.supers {
		s := &o.supers[o.super]
		o.pool.Run((s.r1-s.r0)*o.fills, o.fillFn)
		o.pool.Run((s.g1-s.g0)*s.parts, o.multFn)
	}
	o.dst, o.x, o.bias, o.res, o.w, o.stats, o.a = nil, nil, nil, nil, nil, nil, nil
}

// runMultiply multiplies one group's rows by some panels. Neighbouring tasks
// share the weights.
func (o *Op) runMultiply(worker, task int) {
	g, s := o.geo, &o.supers[o.super]
	q := o.groups[s.g0+task%(s.g1-s.g0)]
	panels := up(g.O, cols) / cols
	part := task / (s.g1 - s.g0)
	j0, j1 := panels*part/s.parts, panels*(part+1)/s.parts
	sums := o.pool.Scratch(worker)
	for step := 0; step < o.steps; step += o.chunk {
		for j := j0; j < j1; j++ {
			kept := sums
			if o.steps > o.chunk {
				kept = sums[(j-j0)*o.sums:]
			}
			o.pass(kept, q, j, step, min(o.chunk, o.steps-step))
		}
	}
	if o.act > ref.ReLU {
		o.activate(q, j0*cols, min(j1*cols, g.O))
	}
}

// pass multiplies a group's rows by n steps of panel j.
func (o *Op) pass(sums []float32, q group, j, step, n int) {
	k, first := o.k, j*cols
	t := block{lda: uintptr(4 * o.rp), off: unsafe.Pointer(&o.off[step]), k: n, quads: o.deep / 4, b: unsafe.Pointer(&o.w.panel(j, step)[0]),
		cols: min(cols, o.geo.O-first), ldc: uintptr(4 * o.ldc), ldr: uintptr(4 * o.ldr)}
	if step > 0 {
		t.flags |= loadSums
	}
	if step+n < o.steps {
		t.flags |= storeSums
	}
	if o.steps > o.chunk {
		t.sumStep = uintptr(4 * k.rows * cols)
	}
	if o.bias != nil {
		t.bias = unsafe.Pointer(&o.bias[first])
	}
	if o.stream && t.cols == cols && uintptr(unsafe.Pointer(&o.dst[0]))%64 == 0 {
		t.flags |= stream
	}
	if o.act == ref.ReLU {
		t.flags |= doReLU
	}
	// The weights that come next are fetched, evenly over the rows' groups.
	t.ahead = t.b
	if next := first + cols; next < o.geo.O {
		t.ahead, t.aheadStep = unsafe.Pointer(&o.w.panel(j+1, step)[0]), uintptr(min(256, 4*o.b/q.rows))
	}
	most := max(1, k.call/n) * k.rows
	for _, s := range o.segs[q.s0:q.s1] {
		t.c = unsafe.Pointer(&o.dst[s.out*o.ldc+first])
		if o.res != nil {
			t.res = unsafe.Pointer(&o.res[s.out*o.ldr+first])
			t.flags |= addResidual
		}
		for m := 0; m < s.rows; m += most {
			t.rows = min(most, s.rows-m)
			t.a = unsafe.Pointer(&o.a[s.at+m*o.rp])
			t.pixel = unsafe.Pointer(&o.pixel[s.pixel+m])
			t.sums = unsafe.Pointer(&sums[0])
			if t.sumStep > 0 {
				sums = sums[up(t.rows, k.rows)*cols:]
			}
			k.product(&t)
		}
	}
}

// activate applies a transcendental activation to the columns [n0,n1) of a
// group's results.
func (o *Op) activate(q group, n0, n1 int) {
	for _, s := range o.segs[q.s0:q.s1] {
		for _, p := range o.pixel[s.pixel:][:s.rows] {
			if p >= 0 {
				row := o.dst[(s.out+int(p))*o.ldc+n0 : (s.out+int(p))*o.ldc+n1]
				o.k.elem.Act(row, row, o.act)
			}
		}
	}
}
