//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/kernels/elem"
	"syntic/kernels/isa"
	"syntic/tensor/graph"
)

// What the tensor-core kernels (src/tc_*.cu) share: how their arguments lie in
// memory, weights in halves, and temporary memory.

// epilogue is tc_tile.h's Epilogue.
type epilogue struct {
	out, bias, residual, each         cu.DevicePtr
	n, ldc, ldr, eachRows, act, flags int32
	alpha                             float32
	_                                 int32
}

// The flags of an epilogue.
const (
	outF32 = 1 << iota
	outGEGLU
	outTop
)

// gemmArgs is tc_tile.h's GemmArgs.
type gemmArgs struct {
	e                          epilogue
	a, w, part                 cu.DevicePtr
	m, nw, k, lda, ldw, splits int32
}

// convArgs is tc_tile.h's ConvArgs.
type convArgs struct {
	e                                                epilogue
	x, x2, w, part                                   cu.DevicePtr
	n, h, wd, c1, c2, o, kh, kw                      int32
	stride, padT, padL, dil, oh, ow, up, splits, box int32
	_                                                int32
}

// finishArgs is tc_finish.cu's.
type finishArgs struct {
	e             epilogue
	part          cu.DevicePtr
	m, nw, splits int32
	_             int32
}

// finish appends the end of a product whose sums are split.
func (m *memory) finish(e epilogue, part cu.DevicePtr, rows, nw, splits int) {
	g := finishArgs{e: e, part: part, m: int32(rows), nw: int32(nw), splits: int32(splits)}
	m.launch(m.dev.tc("finish", ""), cux.Grid{X: ceil(rows*ceil(nw, 8), threads)}, cux.Put(new(cux.Args), g))
}

// halves reports whether the device computes in halves on tensor cores.
func (d *Device) halves() bool { return d.opts.Precision != F32 && d.capability >= 80 }

// tc returns the name of a tensor-core kernel: tc_ family _ precision, then shape.
func (d *Device) tc(family, shape string) string {
	name := "tc_" + family + "_" + d.opts.Precision.String()
	if shape != "" {
		name += "_" + shape
	}
	return name
}

// scratch lays out a step's temporary memory.
type scratch struct{ bytes int }

// take makes room for n bytes and returns where.
func (s *scratch) take(n int) (at int) {
	at = s.bytes
	s.bytes += ceil(n, 256) * 256
	return at
}

func (s *scratch) floats() int { return s.bytes / 4 }

// operandIn makes a value usable in halves: as it lies, or, where it is kept in f32,
// as a copy in the step's temporary memory. A nil value gives 0.
func (d *Device) operandIn(s *scratch, n *graph.Node) func(m *memory, ws cu.DevicePtr) cu.DevicePtr {
	if n == nil || d.kind(n) != 0 {
		return func(m *memory, _ cu.DevicePtr) cu.DevicePtr { return m.at(n) }
	}
	elems := n.Shape.Elems()
	at := s.take(2 * elems)
	return func(m *memory, ws cu.DevicePtr) cu.DevicePtr {
		dst := ws + cu.DevicePtr(at)
		m.copyRows(view{at: dst, kind: int32(d.opts.Precision)}, m.view(n), 1, elems, elems, elems)
		return dst
	}
}

// halfRows is a weight in halves: rows of k values, ld apart with zeros between.
// fill writes row i, of k values, from the weight's values v.
func (d *Device) halfRows(p *graph.Param, form string, rows, ld int, fill func(dst, v []float32, i int)) *weight {
	form = fmt.Sprint(d.opts.Precision, " ", form)
	return &weight{key: packKey{p, form}, bytes: 2 * rows * ld, make: func() ([]byte, error) {
		v, err := p.Float32s()
		if err != nil {
			return nil, err
		}
		level, err := isa.Best()
		if err != nil {
			return nil, err
		}
		narrow := elem.For(level).ToF16
		if d.opts.Precision == BF16 {
			narrow = elem.For(level).ToBF16
		}
		out, row := make([]byte, 2*rows*ld), make([]float32, ld)
		for i := range rows {
			clear(row)
			fill(row, v, i)
			narrow(out[2*i*ld:2*(i+1)*ld], row)
		}
		return out, nil
	}}
}

// aligned reports whether rows of n halves are whole 16-byte words.
func aligned(n ...int) bool {
	for _, v := range n {
		if v%8 != 0 {
			return false
		}
	}
	return true
}

// tensorStep prepares an operation for the tensor-core kernels; nil where they
// don't serve it and the plain ones do.
func (d *Device) tensorStep(op *graph.Op) *step {
	switch a := op.Attr.(type) {
	case *graph.LinearOp:
		if d.suitsProduct(a.K) {
			return d.halfProduct(op, d.halfMatrix(op.In[1].Param, a.Layout, a.K, a.N, false), plain(op.In[2]), a.M, a.N, a.K, a.Act, false)
		}
	case *gatedOp:
		return d.halfProduct(op, d.halfMatrix(op.In[1].Param, a.Layout, a.K, a.N, true), gatedBias(op.In[2], a.N), a.M, a.N, a.K, 0, true)
	case *topOp:
		return d.halfTop(op, a)
	case *joinedConv:
		return d.halfConv(op, a)
	case *graph.LayerNormOp:
		if d.suitsLayerNorm(op, a) {
			return d.halfLayerNorm(op, a)
		}
	case *graph.GroupNormOp:
		if d.kind(op.Out) != 0 && d.suitsGroupNorm(a.C, a.Groups) {
			return d.halfGroupNorm(op, a)
		}
	case *graph.AttentionOp:
		if d.suitsAttention(op, a) {
			return d.halfAttention(op, a)
		}
	}
	return nil
}
