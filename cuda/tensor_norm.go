//go:build cuda && linux

package cuda

import (
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// layerNormArgs and groupNormArgs are those of tc_norm.cu.
type layerNormArgs struct {
	out, x, w, b cu.DevicePtr
	m, c         int32
	eps          float32
	_            int32
}

type groupNormArgs struct {
	out, x, x2, w, b, part          cu.DevicePtr
	hw, c1, c2, groups, slices, act int32
	eps                             float32
	_                               int32
}

// suitsLayerNorm reports whether a row norm reads and writes halves in whole words.
func (d *Device) suitsLayerNorm(op *graph.Op, a *graph.LayerNormOp) bool {
	return d.halves() && d.kind(op.In[0]) != 0 && d.kind(op.Out) != 0 && aligned(a.C)
}

// halfLayerNorm normalises rows of halves.
func (d *Device) halfLayerNorm(op *graph.Op, a *graph.LayerNormOp) *step {
	w, b := plain(op.In[1]), plain(op.In[2])
	lanes := 1 // of a row
	for lanes < 32 && a.C > 40*lanes {
		lanes *= 2
	}
	return launches(func(m *memory) {
		if a.M > 0 {
			g := layerNormArgs{out: m.at(op.Out), x: m.at(op.In[0]), w: w.ptr(), b: b.ptr(), m: int32(a.M), c: int32(a.C), eps: a.Eps}
			m.launch(d.tc("layernorm", ""), cux.Grid{X: ceil(a.M*lanes, 256)}, cux.Put(new(cux.Args), g))
		}
	}, w, b)
}

// groupNorm is the group norm of [n,hw,c1+c2], which may lie in two values.
type groupNorm struct {
	n, hw, c1, c2, groups int
	eps                   float32
	act                   graph.Act
}

// suitsGroupNorm reports whether the half kernels serve a norm.
func (d *Device) suitsGroupNorm(c, groups int) bool {
	tiles, _ := normGrid(1, c, groups)
	return d.halves() && aligned(c) && groups <= 256 && c <= 2048*tiles
}

// normGrid returns into how many blocks the channels of a picture go, and its pixels,
// by size alone, so that its bits don't depend on its batch.
func normGrid(hw, c, groups int) (tiles, slices int) {
	tiles = 1
	for groups%(2*tiles) == 0 && c%16 == 0 && c/16%(2*tiles) == 0 && c/(2*tiles) >= 32 {
		tiles *= 2
	}
	rows := max(256/max(c/8/tiles, 1), 1)
	return tiles, max(1, min(ceil(hw, 4*rows), 512/tiles, 128))
}

// partBytes returns the temporary memory of a norm.
func (g *groupNorm) partBytes() int {
	_, slices := normGrid(g.hw, g.c1+g.c2, g.groups)
	return 8 * g.n * g.groups * slices
}

// normalise appends a group norm: its statistics, then out.
func (m *memory) normalise(g *groupNorm, out, x, x2, w, b, part cu.DevicePtr) {
	tiles, slices := normGrid(g.hw, g.c1+g.c2, g.groups)
	a := groupNormArgs{out: out, x: x, x2: x2, w: w, b: b, part: part, hw: int32(g.hw), c1: int32(g.c1), c2: int32(g.c2),
		groups: int32(g.groups), slices: int32(slices), act: int32(g.act), eps: g.eps}
	grid := cux.Grid{X: tiles, Y: slices, Z: g.n, Shared: 16512}
	m.launch(m.dev.tc("groupnorm_parts", ""), grid, cux.Put(new(cux.Args), a))
	grid.Shared = 8 * g.groups / tiles
	m.launch(m.dev.tc("groupnorm_apply", ""), grid, cux.Put(new(cux.Args), a))
}

func (d *Device) halfGroupNorm(op *graph.Op, a *graph.GroupNormOp) *step {
	w, b := plain(op.In[1]), plain(op.In[2])
	g := &groupNorm{n: a.N, hw: a.HW, c1: a.C, groups: a.Groups, eps: a.Eps, act: a.Act}
	var s scratch
	x, part := d.operandIn(&s, op.In[0]), s.take(g.partBytes())
	return &step{s.floats(), []*weight{w, b}, func(m *memory, ws cu.DevicePtr) {
		if a.N*a.HW > 0 {
			m.normalise(g, m.at(op.Out), x(m, ws), 0, w.ptr(), b.ptr(), ws+cu.DevicePtr(part))
		}
	}}
}
