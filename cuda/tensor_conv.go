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
	taps := !point && !up && d.tapsOnHopper(a)
	normed := 0 // where the normalised input lies, for kernels that take it so
	if (point || taps) && op.In[4] != nil {
		normed = s.take(2 * a.N * a.H * a.W * a.C)
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
		if (point || taps) && scale != 0 {
			out := ws + cu.DevicePtr(normed)
			m.normalise(out, in, scale, shift, a.N, a.H*a.W, a.C, a.NormAct)
			in, scale, shift = out, 0, 0
		}
		if point {
			m.multiply(gemmArgs{e: e, a: in, w: w.ptr(), m: int32(pixels), nw: int32(a.O), k: int32(a.C), lda: int32(a.C), ldw: int32(a.C), splits: 1})
			return
		}
		g := convArgs{e: e, x: in, w: w.ptr(), scale: scale, shift: shift, n: int32(a.N), h: int32(a.H), wd: int32(a.W), c1: int32(a.C), o: int32(a.O),
			kh: int32(a.KH), kw: int32(a.KW), stride: int32(a.StrideH), padT: int32(a.Pad.Top), padL: int32(a.Pad.Left), dil: int32(a.DilH),
			oh: int32(a.OutH), ow: int32(a.OutW), normAct: int32(a.NormAct), splits: 1}
		if up {
			g.up = 1
		}
		if taps {
			m.convolveByTaps(g)
		} else {
			m.convolve(g)
		}
	}}
}

// tapsOnHopper reports whether tc_convt90.cu serves a convolution.
func (d *Device) tapsOnHopper(a *graph.ConvOp) bool { return d.hopper && a.C%64 == 0 && a.StrideH <= 2 }

// box is the pixels of a tile of tc_convt90.cu.
type box struct{ w, h, n int }

// tiles counts the boxes that cover n pictures of h × w.
func (b box) tiles(n, h, w int) int { return ceil(n, b.n) * ceil(h, b.h) * ceil(w, b.w) }

// boxFor returns the box of so many pixels that covers the pictures with the fewest
// tiles.
func boxFor(pixels, n, h, w, stride int) (best box) {
	for bw := min(128, pixels); bw >= 8; bw /= 2 {
		for bh := pixels / bw; bh >= 1; bh /= 2 {
			b := box{bw, bh, pixels / bw / bh}
			if max(bw, bh)*stride <= 256 && (best.w == 0 || b.tiles(n, h, w) < best.tiles(n, h, w)) {
				best = b
			}
		}
	}
	return best
}

// convolveByTaps appends the convolution of tc_convt90.cu.
func (m *memory) convolveByTaps(g convArgs) {
	d, depth := m.dev, int(g.kh*g.kw*g.c1)
	n, h, w, s := int(g.n), int(g.oh), int(g.ow), int(g.stride)
	rows := func(tile int) int { return boxFor(tile, n, h, w, s).tiles(n, h, w) * tile }
	t := d.hopperTileFor(rows, int(g.o), depth)
	b := boxFor(t.m, n, h, w, s)
	g.box = int32(b.w | b.h<<16)
	x := m.pictureMap(g.x, n, int(g.h), int(g.wd), int(g.c1), b, s)
	weights := m.halfMap(g.w, depth, int(g.o), depth, t.n)
	grid := cux.Grid{X: min(d.processors, b.tiles(n, h, w)*ceil(int(g.o), t.n)), Threads: 384, Shared: t.shared()}
	m.launch(d.tc("convt90", fmt.Sprintf("%dx%d", t.m, t.n)), grid, cux.Put(cux.Put(cux.Put(cux.Put(new(cux.Args), x), x), weights), g))
}

// pictureMap describes [n,h,w,c] halves to the copy engine, in boxes of every
// stride-th pixel.
func (m *memory) pictureMap(at cu.DevicePtr, n, h, w, c int, b box, stride int) cux.TensorMap {
	return m.tensorMap(at, []int{c, w, h, n}, []int{64, b.w * stride, b.h * stride, b.n}, []int{1, stride, stride, 1}, 2*c)
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
		m.launch(d.tc("conv90", fmt.Sprint(bn)), grid, cux.Put(cux.Put(new(cux.Args), w), g))
	case square && g.c1%32 == 0:
		side := d.side(places(g) * ceil(out, 128))
		grid := cux.Grid{X: places(g) * ceil(out, side), Threads: 128, Shared: 25600 + d.stages*side*64}
		m.launch(d.tc("conv3", fmt.Sprint(side)), grid, cux.Put(new(cux.Args), g))
	default:
		side := d.side(ceil(pixels, 128) * ceil(out, 128))
		shape := fmt.Sprint(side)
		if g.scale != 0 {
			shape += "_norm"
		}
		grid := cux.Grid{X: ceil(pixels, side) * ceil(out, side), Threads: 128, Shared: d.stages * 2 * side * 64}
		m.launch(d.tc("conv", shape), grid, cux.Put(new(cux.Args), g))
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
