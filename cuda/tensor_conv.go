//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// suitsConv reports whether a convolution goes to tensor cores: as a product of
// patches where its channels aren't whole words.
func (d *Device) suitsConv(a *graph.ConvOp) bool {
	return d.halves() && a.Groups == 1 && a.StrideH == a.StrideW && a.DilH == a.DilW && a.H < 1<<15 && a.W < 1<<15
}

// tapsRow returns the length of halfTaps' rows, which are whole words.
func tapsRow(a *graph.ConvOp) int { return ceil(a.KH*a.KW*a.C, 8) * 8 }

// halfTaps returns a convolution's weight as rows of KH·KW·C halves, one for each
// channel of the result.
func (d *Device) halfTaps(p *graph.Param, a *graph.ConvOp) *weight {
	n := a.KH * a.KW
	return d.halfRows(p, "taps", a.O, tapsRow(a), func(dst, v []float32, o int) {
		for c := range a.C {
			for t := range n {
				dst[t*a.C+c] = v[(o*a.C+c)*n+t]
			}
		}
	})
}

// point reports whether a convolution is a product of the pixels.
func (a *joinedConv) point() bool { return a.KH*a.KW*a.StrideH == 1 && a.Pad == (graph.Pad{}) && !a.up }

// byTaps reports whether tc_convt90.cu serves a convolution.
func (d *Device) byTaps(a *joinedConv) bool {
	return d.hopper && a.C%64 == 0 && (a.norm != nil || a.c2%64 == 0) && a.StrideH <= 2 && !a.up
}

// convEpilogue returns how a convolution ends.
func (m *memory) convEpilogue(op *graph.Op, a *graph.ConvOp, bias *weight, residual, each cu.DevicePtr) epilogue {
	e := epilogue{out: m.at(op.Out), bias: bias.ptr(), residual: residual, each: each,
		n: int32(a.O), ldc: int32(a.O), ldr: int32(a.O), eachRows: int32(a.OutH * a.OutW), act: int32(a.Act), alpha: 1}
	if m.dev.kind(op.Out) == 0 {
		e.flags = outF32
	}
	return e
}

// patchedConv is a convolution as a product of its patches.
func (d *Device) patchedConv(op *graph.Op, a *joinedConv) *step {
	var s scratch
	ld, pixels := tapsRow(&a.ConvOp), a.N*a.OutH*a.OutW
	w, bias := d.halfTaps(op.In[1].Param, &a.ConvOp), plain(op.In[2])
	residual, each, at := d.operandIn(&s, op.In[3]), d.operandIn(&s, op.In[inEach]), s.take(2*pixels*ld)
	plan := d.planProduct(&s, pixels, a.O, ld, 0)
	return &step{s.floats(), present(w, bias), func(m *memory, ws cu.DevicePtr) {
		if pixels == 0 {
			return
		}
		patches := view{at: ws + cu.DevicePtr(at), kind: int32(d.opts.Precision)}
		m.each("patches", pixels*ld/8, args(patches, m.view(op.In[0])).
			Int(a.H, a.W, a.C, a.KH, a.KW, a.StrideH, a.StrideW, a.DilH, a.DilW, a.Pad.Top, a.Pad.Left, a.OutH, a.OutW, ld))
		e := m.convEpilogue(op, &a.ConvOp, bias, residual(m, ws), each(m, ws))
		m.multiply(gemmArgs{e: e, a: patches.at, w: w.ptr(), m: int32(pixels), nw: int32(a.O), k: int32(ld), lda: int32(ld), ldw: int32(ld), splits: 1}, plan, ws)
	}}
}

// halfConv is a convolution on tensor cores.
func (d *Device) halfConv(op *graph.Op, a *joinedConv) *step {
	if !aligned(a.C) {
		return d.patchedConv(op, a)
	}
	var s scratch
	w, bias := d.halfTaps(op.In[1].Param, &a.ConvOp), plain(op.In[2])
	x, x2 := d.operandIn(&s, op.In[0]), d.operandIn(&s, op.In[inSecond])
	residual, each := d.operandIn(&s, op.In[3]), d.operandIn(&s, op.In[inEach])
	list := present(w, bias)
	var norm *groupNorm
	var normW, normB *weight
	var part, normed int // where the norm's parts and its result lie
	if a.norm != nil {
		norm = &groupNorm{n: a.N, hw: a.H * a.W, c1: a.C - a.c2, c2: a.c2, groups: a.norm.Groups, eps: a.norm.Eps, act: a.NormAct}
		normW, normB = plain(a.w), plain(a.b)
		list = append(list, normW, normB)
		part, normed = s.take(norm.partBytes()), s.take(2*a.N*a.H*a.W*a.C)
	}
	pixels := a.N * a.OutH * a.OutW
	var plan tilePlan
	product := a.point() && (a.norm != nil || a.c2 == 0)
	switch {
	case product:
		plan = d.planProduct(&s, pixels, a.O, a.C, 0)
	case d.byTaps(a):
		plan = d.planTiles(&s, func(rows int) int {
			return boxFor(rows, a.N, a.OutH, a.OutW, a.StrideH).tiles(a.N, a.OutH, a.OutW)
		}, pixels, a.O, a.KH*a.KW*a.C)
	}
	return &step{s.floats(), list, func(m *memory, ws cu.DevicePtr) {
		if pixels == 0 {
			return
		}
		e := m.convEpilogue(op, &a.ConvOp, bias, residual(m, ws), each(m, ws))
		first, second, c2 := x(m, ws), x2(m, ws), a.c2
		if norm != nil {
			out := ws + cu.DevicePtr(normed)
			m.normalise(norm, out, first, second, normW.ptr(), normB.ptr(), ws+cu.DevicePtr(part))
			first, second, c2 = out, 0, 0
		}
		if product {
			m.multiply(gemmArgs{e: e, a: first, w: w.ptr(), m: int32(pixels), nw: int32(a.O), k: int32(a.C), lda: int32(a.C), ldw: int32(a.C), splits: 1}, plan, ws)
			return
		}
		g := convArgs{e: e, x: first, x2: second, w: w.ptr(), n: int32(a.N), h: int32(a.H), wd: int32(a.W), c1: int32(a.C - c2), c2: int32(c2), o: int32(a.O),
			kh: int32(a.KH), kw: int32(a.KW), stride: int32(a.StrideH), padT: int32(a.Pad.Top), padL: int32(a.Pad.Left), dil: int32(a.DilH),
			oh: int32(a.OutH), ow: int32(a.OutW), splits: 1}
		if a.up {
			g.up = 1
		}
		if d.byTaps(a) {
			m.convolveByTaps(g, plan, ws)
		} else {
			m.convolve(g)
		}
	}}
}

// convolve appends the kernel of GPUs before Hopper that suits a convolution best.
func (m *memory) convolve(g convArgs) {
	d := m.dev
	out := int(g.o)
	if g.kh == 3 && g.kw == 3 && g.stride == 1 && g.dil == 1 && g.c1%32 == 0 && g.c2%32 == 0 {
		side := d.side(places(g) * ceil(out, 128))
		grid := cux.Grid{X: places(g) * ceil(out, side), Threads: 128, Shared: 25600 + d.stages*side*64}
		m.launch(d.tc("conv3", fmt.Sprint(side)), grid, cux.Put(new(cux.Args), g))
		return
	}
	pixels := int(g.n * g.oh * g.ow)
	side := d.side(ceil(pixels, 128) * ceil(out, 128))
	grid := cux.Grid{X: ceil(pixels, side) * ceil(out, side), Threads: 128, Shared: d.stages * 2 * side * 64}
	m.launch(d.tc("conv", fmt.Sprint(side)), grid, cux.Put(new(cux.Args), g))
}

// places counts the tiles of 128 pixels of a 3×3 convolution (tc_tile.h's Place).
func places(g convArgs) int {
	high := 16
	if g.oh <= 8 {
		high = 8
	}
	return ceil(int(g.ow), 8) * ceil(int(g.oh), high) * ceil(int(g.n), 16/high)
}

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
func (m *memory) convolveByTaps(g convArgs, p tilePlan, ws cu.DevicePtr) {
	d, t, depth := m.dev, p.tile, int(g.kh*g.kw*(g.c1+g.c2))
	n, h, w, s := int(g.n), int(g.oh), int(g.ow), int(g.stride)
	b := boxFor(t.m, n, h, w, s)
	g.box, g.splits, g.part = int32(b.w|b.h<<16), int32(p.splits), p.at(ws)
	x := m.pictureMap(g.x, n, int(g.h), int(g.wd), int(g.c1), b, s)
	second := x
	if g.c2 > 0 {
		second = m.pictureMap(g.x2, n, int(g.h), int(g.wd), int(g.c2), b, s)
	}
	weights := m.halfMap(g.w, depth, int(g.o), depth, t.n)
	grid := cux.Grid{X: min(d.processors, b.tiles(n, h, w)*ceil(int(g.o), t.n)*int(g.splits)), Threads: 384, Shared: t.shared()}
	m.launch(d.tc("convt90", t.String()), grid, cux.Put(cux.Put(cux.Put(cux.Put(new(cux.Args), x), second), weights), g))
	if p.splits > 1 {
		m.finish(g.e, g.part, n*h*w, int(g.o), p.splits)
	}
}

// pictureMap describes [n,h,w,c] halves to the copy engine, in boxes of every
// stride-th pixel.
func (m *memory) pictureMap(at cu.DevicePtr, n, h, w, c int, b box, stride int) cux.TensorMap {
	return m.tensorMap(at, []int{c, w, h, n}, []int{2 * c, 2 * c * w, 2 * c * w * h}, []int{64, b.w * stride, b.h * stride, b.n}, []int{1, stride, stride, 1})
}
