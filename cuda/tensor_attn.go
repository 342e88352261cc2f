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

// attnShape is a kernel of tc_attn.cu: queries of a block and shared memory.
type attnShape struct{ queries, shared int }

var attnShapes = map[int]attnShape{
	32:  {64, (64 + 4*64) * 80},
	40:  {128, (128 + 4*64) * 112},
	64:  {64, (64 + 4*64) * 144},
	80:  {64, (64 + 4*64) * 176},
	160: {64, (64 + 4*32) * 336},
	512: {32, 101120},
}

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
	return ok
}

// longKeys is the number of keys from which Hopper's kernel pays.
const longKeys = 256

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
		family, shape, threads := "attn", attnShapes[a.D], 128
		if d.hopper && (a.D == 40 || a.D == 80) && a.LK >= longKeys {
			family, shape, threads = "attn90", attnShape{192, 116784}, 512
		}
		grid := cux.Grid{X: ceil(a.LQ, shape.queries), Y: a.Heads, Z: a.B, Threads: threads, Shared: shape.shared}
		m.launch(d.tc(family, fmt.Sprint(a.D)), grid, cux.Put(new(cux.Args), g))
	})
}

// within has the program report a number of the data that isn't in [low,high].
func (m *memory) within(n *graph.Node, low, high int, complain func(v int) error) {
	slot := m.slot(func(_, v int) error { return complain(v) })
	m.launch("within", cux.Grid{X: 1}, new(cux.Args).Ptr(m.at(n), m.faults).Int(low, high, slot))
}
