//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// attnArgs is tc_attn.h's AttnArgs.
type attnArgs struct {
	out, q, k, v, mask, used                                             cu.DevicePtr
	lq, lk, strideQ, strideK, strideV, strideO, offQ, offK, offV, causal int32
	scale                                                                float32
	_                                                                    int32
}

// attnShape is a kernel of tc_attn.cu or, with keys, tc_attn90.cu: queries and keys of
// a tile, threads of a block and its shared memory.
type attnShape struct{ queries, keys, threads, shared int }

var attnShapes = map[int]attnShape{
	32:  {64, 0, 128, (64 + 4*64) * 80},
	40:  {128, 0, 128, (128 + 4*64) * 112},
	64:  {64, 0, 128, (64 + 4*64) * 144},
	80:  {64, 0, 128, (64 + 4*64) * 176},
	160: {64, 0, 128, (64 + 4*32) * 336},
	512: {32, 0, 128, 101120},
}

var hopperAttnShapes = map[int]attnShape{
	32:  {128, 128, 384, 147712},
	40:  {128, 128, 384, 147712},
	64:  {128, 64, 384, 114944},
	80:  {128, 64, 384, 164096},
	160: {64, 64, 256, 221440},
}

// shortKeys is the most keys that tc_attn_short.cu takes, in the heads' sizes given
// with the bytes of a row and the blocks that a processor holds.
const shortKeys = 80

var shortAttn = map[int]struct{ pitch, blocks int }{40: {112, 4}, 64: {144, 4}, 80: {176, 4}, 160: {336, 2}}

// oneColumns is the most columns of a head that tc_attn_one.cu takes.
const oneColumns = 256

// suitsAttention reports whether an attention goes to tensor cores.
func (d *Device) suitsAttention(op *graph.Op, a *graph.AttentionOp) bool {
	if !d.halves() || !aligned(a.QOff, a.KOff, a.VOff, a.StrideQ, a.StrideK, a.StrideV, a.D) {
		return false
	}
	for _, n := range []*graph.Node{op.Out, op.In[0], op.In[1], op.In[2]} {
		if d.kind(n) == 0 {
			return false
		}
	}
	_, ok := attnShapes[a.D]
	return ok || a.LQ == 1 && a.D <= oneColumns
}

func (d *Device) halfAttention(op *graph.Op, a *graph.AttentionOp) *step {
	scale := a.Scale
	if scale == 0 {
		scale = inverseRoot(a.D)
	}
	return launches(func(m *memory) {
		if a.B*a.LQ*a.Heads == 0 {
			return
		}
		if op.In[4] != nil {
			m.within(op.In[4], 0, a.LK, func(used int) error { return fmt.Errorf("attention over %d keys, of at most %d", used, a.LK) })
		}
		g := attnArgs{out: m.at(op.Out), q: m.at(op.In[0]), k: m.at(op.In[1]), v: m.at(op.In[2]), mask: m.at(op.In[3]), used: m.at(op.In[4]),
			lq: int32(a.LQ), lk: int32(a.LK), strideQ: int32(a.StrideQ), strideK: int32(a.StrideK), strideV: int32(a.StrideV), strideO: int32(a.Heads * a.D),
			offQ: int32(a.QOff), offK: int32(a.KOff), offV: int32(a.VOff), scale: scale}
		if a.Causal {
			g.causal = 1
		}
		m.attend(g, a)
	})
}

// attend appends the kernel that suits an attention best.
func (m *memory) attend(g attnArgs, a *graph.AttentionOp) {
	d, size := m.dev, fmt.Sprint(a.D)
	if a.LQ == 1 && a.D <= oneColumns {
		width := 64 * ceil(a.D, 64)
		m.launch(d.tc("attn_one", fmt.Sprint(width)), cux.Grid{X: a.Heads, Y: a.B, Threads: 128, Shared: 64 * (width + 4)}, cux.Put(new(cux.Args), g).Int(a.D))
		return
	}
	if short, ok := shortAttn[a.D]; ok && a.LK <= shortKeys {
		tiles := ceil(a.LQ, 64)
		x := ceil(tiles, ceil(tiles*a.Heads*a.B, d.processors*short.blocks))
		m.launch(d.tc("attn_short", size), cux.Grid{X: x, Y: a.Heads, Z: a.B, Threads: 128, Shared: 288 * short.pitch}, cux.Put(new(cux.Args), g))
		return
	}
	shape, ok := hopperAttnShapes[a.D]
	if !ok || !d.hopper {
		shape = attnShapes[a.D]
		grid := cux.Grid{X: ceil(a.LQ, shape.queries), Y: a.Heads, Z: a.B, Threads: shape.threads, Shared: shape.shared}
		m.launch(d.tc("attn", size), grid, cux.Put(new(cux.Args), g))
		return
	}
	q := m.headMap(g.q, a, a.QOff, a.LQ, a.StrideQ, shape.queries)
	k := m.headMap(g.k, a, a.KOff, a.LK, a.StrideK, shape.keys)
	v := m.headMap(g.v, a, a.VOff, a.LK, a.StrideV, shape.keys)
	grid := cux.Grid{X: min(d.processors, ceil(a.LQ, shape.queries)*a.Heads*a.B), Threads: shape.threads, Shared: shape.shared}
	m.launch(d.tc("attn90", size), grid, cux.Put(cux.Put(cux.Put(cux.Put(new(cux.Args), q), k), v), g).Int(a.Heads, a.B))
}

// headMap describes the heads of queries, keys or values, from a column on, to the
// copy engine, in boxes of rows of one head.
func (m *memory) headMap(at cu.DevicePtr, a *graph.AttentionOp, off, length, stride, rows int) cux.TensorMap {
	return m.tensorMap(at+cu.DevicePtr(2*off), []int{a.D, a.Heads, length, a.B}, []int{2 * a.D, 2 * stride, 2 * stride * length}, []int{64, 1, rows, 1}, []int{1, 1, 1, 1})
}

// within has the program report a number of the data that isn't in [low,high], once
// however many steps want it so.
func (m *memory) within(n *graph.Node, low, high int, complain func(v int) error) {
	bound := bounds{n.Root(), low, high}
	if m.bounded[bound] {
		return
	}
	m.bounded[bound] = true
	slot := m.slot(func(_, v int) error { return complain(v) })
	m.launch("within", cux.Grid{X: 1}, new(cux.Args).Ptr(m.at(n), m.faults).Int(low, high, slot))
}
