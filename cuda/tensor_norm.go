//go:build cuda && linux

package cuda

import (
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

const silu = graph.Act(ref.SiLU)

// layerNormArgs, groupNormArgs and groupNormApplyArgs are those of tc_norm.cu.
type layerNormArgs struct {
	out, x, w, b cu.DevicePtr
	m, c         int32
	eps          float32
	_            int32
}

type groupNormArgs struct {
	scale, shift, x, x2, w, b, part, count cu.DevicePtr
	hw, c1, c2, groups                     int32
	eps                                    float32
	_                                      int32
}

type groupNormApplyArgs struct {
	out, x, x2, scale, shift cu.DevicePtr
	n, hw, c1, c2, act       int32
	_                        int32
}

// halfLayerNorm normalises rows of halves.
func (d *Device) halfLayerNorm(op *graph.Op, a *graph.LayerNormOp) *step {
	w, b := plain(op.In[1]), plain(op.In[2])
	return launches(func(m *memory) {
		if a.M > 0 {
			g := layerNormArgs{out: m.at(op.Out), x: m.at(op.In[0]), w: w.ptr(), b: b.ptr(), m: int32(a.M), c: int32(a.C), eps: a.Eps}
			m.launch(d.tc("layernorm", ""), cux.Grid{X: ceil(a.M, 8)}, cux.Put(new(cux.Args), g))
		}
	}, w, b)
}

// suitsLayerNorm reports whether a row norm reads and writes halves in whole words.
func (d *Device) suitsLayerNorm(op *graph.Op, a *graph.LayerNormOp) bool {
	return d.halves() && d.kind(op.In[0]) != 0 && d.kind(op.Out) != 0 && aligned(a.C)
}

// suitsGroupNorm reports whether group norms of these sizes go to the half kernels.
func (d *Device) suitsGroupNorm(x *graph.Node, n, hw, c, groups int) bool {
	return d.halves() && d.kind(x) != 0 && aligned(c) && groups <= 256 && n <= counters && hw >= 8
}

// cuts is into how many parts a picture's statistics are cut: from its size
// alone, so that its bits don't depend on its batch.
func cuts(hw, c int) int { return min(max(hw*c/80000, 8), 128, hw) }

// halfStats appends the statistics of a group norm: factors and shifts [2,N,C].
func (m *memory) halfStats(stats, x, w, b, part cu.DevicePtr, n, hw, c, groups int, eps float32) {
	g := groupNormArgs{scale: stats, shift: stats + cu.DevicePtr(4*n*c), x: x, w: w, b: b, part: part, count: m.dev.counters,
		hw: int32(hw), c1: int32(c), groups: int32(groups), eps: eps}
	m.launch(m.dev.tc("groupnorm_stats", ""), cux.Grid{X: cuts(hw, c), Y: n, Shared: max(16384, 8*c) + 8*groups}, cux.Put(new(cux.Args), g))
}

// normalise appends out = act(x·scale + shift).
func (m *memory) normalise(out, x, scale, shift cu.DevicePtr, n, hw, c int, act graph.Act) {
	g := groupNormApplyArgs{out: out, x: x, scale: scale, shift: shift, n: int32(n), hw: int32(hw), c1: int32(c), act: int32(act)}
	m.launch(m.dev.tc("groupnorm_apply", ""), cux.Grid{X: ceil(n*hw*c/8, 256)}, cux.Put(new(cux.Args), g))
}

func (d *Device) halfGroupNormStats(op *graph.Op, a *graph.GroupNormStatsOp) *step {
	w, b := plain(op.In[1]), plain(op.In[2])
	return &step{2 * a.N * cuts(a.HW, a.C) * a.C, []*weight{w, b}, func(m *memory, ws cu.DevicePtr) {
		if a.N > 0 {
			m.halfStats(m.at(op.Out), m.at(op.In[0]), w.ptr(), b.ptr(), ws, a.N, a.HW, a.C, a.Groups, a.Eps)
		}
	}}
}

func (d *Device) halfGroupNorm(op *graph.Op, a *graph.GroupNormOp) *step {
	w, b := plain(op.In[1]), plain(op.In[2])
	var s scratch
	stats, part := s.take(8*a.N*a.C), s.take(8*a.N*cuts(a.HW, a.C)*a.C)
	return &step{s.floats(), []*weight{w, b}, func(m *memory, ws cu.DevicePtr) {
		if a.N == 0 {
			return
		}
		at := ws + cu.DevicePtr(stats)
		m.halfStats(at, m.at(op.In[0]), w.ptr(), b.ptr(), ws+cu.DevicePtr(part), a.N, a.HW, a.C, a.Groups, a.Eps)
		m.normalise(m.at(op.Out), m.at(op.In[0]), at, at+cu.DevicePtr(4*a.N*a.C), a.N, a.HW, a.C, a.Act)
	}}
}
