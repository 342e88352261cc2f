//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// joinedConv is a convolution with its neighbours: its input resized to twice its
// sides by nearest neighbour before (H and W are those before), and one value per
// picture and channel, In[5], added after.
type joinedConv struct {
	graph.ConvOp
	up bool
}

// suitsConv reports whether a convolution goes to tensor cores.
func (d *Device) suitsConv(a *graph.ConvOp) bool {
	return d.halves() && a.Groups == 1 && aligned(a.C) && a.StrideH == a.StrideW && a.DilH == a.DilW && a.H < 1<<15 && a.W < 1<<15 && (a.NormAct == 0 || a.NormAct == silu)
}

// halfTaps returns a convolution's weight as [O, KH·KW·C] halves.
func (d *Device) halfTaps(p *graph.Param, a *graph.ConvOp) *weight {
	n := a.KH * a.KW
	return d.halfRows(p, "taps", a.O, n*a.C, func(dst, v []float32, o int) {
		for c := range a.C {
			for t := range n {
				dst[t*a.C+c] = v[(o*a.C+c)*n+t]
			}
		}
	})
}

// halfConv is a convolution on tensor cores.
func (d *Device) halfConv(op *graph.Op, a *graph.ConvOp, up bool) *step {
	var s scratch
	w, bias := d.halfTaps(op.In[1].Param, a), plain(op.In[2])
	x, residual := d.operandIn(&s, op.In[0]), d.operandIn(&s, op.In[3])
	each := func(*memory, cu.DevicePtr) cu.DevicePtr { return 0 }
	if len(op.In) > 5 {
		each = d.operandIn(&s, op.In[5])
	}
	point := a.KH*a.KW*a.StrideH == 1 && a.Pad == (graph.Pad{}) && !up && len(op.In) == 5
	pixels := a.N * a.OutH * a.OutW
	normed := -1 // where the normalised input of a product lies
	if point && op.In[4] != nil {
		normed = s.take(2 * pixels * a.C)
	}
	return &step{s.floats(), present(w, bias), func(m *memory, ws cu.DevicePtr) {
		if pixels == 0 {
			return
		}
		e := epilogue{out: m.at(op.Out), bias: bias.ptr(), residual: residual(m, ws), each: each(m, ws),
			n: int32(a.O), ldc: int32(a.O), ldr: int32(a.O), eachRows: int32(a.OutH * a.OutW), act: int32(a.Act), alpha: 1}
		if d.kind(op.Out) == 0 {
			e.flags = outF32
		}
		var scale, shift cu.DevicePtr
		if op.In[4] != nil {
			scale = m.at(op.In[4])
			shift = scale + cu.DevicePtr(4*a.N*a.C)
		}
		in := x(m, ws)
		if point {
			if scale != 0 {
				out := ws + cu.DevicePtr(normed)
				m.normalise(out, in, scale, shift, a.N, a.H*a.W, a.C, a.NormAct)
				in = out
			}
			m.multiply(gemmArgs{e: e, a: in, w: w.ptr(), m: int32(pixels), nw: int32(a.O), k: int32(a.C), lda: int32(a.C), ldw: int32(a.C), splits: 1})
			return
		}
		g := convArgs{e: e, x: in, w: w.ptr(), scale: scale, shift: shift, n: int32(a.N), h: int32(a.H), wd: int32(a.W), c1: int32(a.C), o: int32(a.O),
			kh: int32(a.KH), kw: int32(a.KW), stride: int32(a.StrideH), padT: int32(a.Pad.Top), padL: int32(a.Pad.Left), dil: int32(a.DilH),
			oh: int32(a.OutH), ow: int32(a.OutW), normAct: int32(a.NormAct), splits: 1}
		if up {
			g.up = 1
		}
		m.convolve(g)
	}}
}

// convolve appends the kernel that suits a convolution best.
func (m *memory) convolve(g convArgs) {
	d := m.dev
	square := g.kh == 3 && g.kw == 3 && g.stride == 1 && g.dil == 1
	pixels, out := int(g.n*g.oh*g.ow), int(g.o)
	switch {
	case square && d.hopper && g.c1%64 == 0:
		bn := 128
		if out%160 == 0 || out%160 > 128 {
			bn = 160
		}
		tiles := places(g) * ceil(out, bn)
		w := m.halfMap(g.w, 9*int(g.c1), out, 9*int(g.c1), bn)
		grid := cux.Grid{X: min(d.processors, tiles), Threads: 384, Shared: 51200 + 6*bn*128 + 20480 + 128}
		m.tcLaunch(d.tc("conv90", fmt.Sprint(bn)), grid, cux.Put(cux.Put(new(cux.Args), w), g))
	case square && g.c1%32 == 0:
		side := d.side(places(g) * ceil(out, 128))
		grid := cux.Grid{X: places(g) * ceil(out, side), Threads: 128, Shared: 25600 + d.stages*side*64}
		m.tcLaunch(d.tc("conv3", fmt.Sprint(side)), grid, cux.Put(new(cux.Args), g))
	default:
		side := d.side(ceil(pixels, 128) * ceil(out, 128))
		shape := fmt.Sprint(side)
		if g.scale != 0 {
			shape += "_norm"
		}
		grid := cux.Grid{X: ceil(pixels, side) * ceil(out, side), Threads: 128, Shared: d.stages * 2 * side * 64}
		m.tcLaunch(d.tc("conv", shape), grid, cux.Put(new(cux.Args), g))
	}
}

// places counts the tiles of 128 pixels of a 3×3 convolution (tc_tile.h's Place).
func places(g convArgs) int {
	high := 16
	if g.oh <= 8 {
		high = 8
	}
	return ceil(int(g.ow), 8) * ceil(int(g.oh), high) * ceil(int(g.n), 16/high)
}
