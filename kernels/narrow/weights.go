package narrow

import (
	"encoding/binary"
	"fmt"
	"math"

	"syntic/kernels/elem"
	"syntic/kernels/gemm"
)

// Weights is a matrix [K,N], rounded and packed: for every panel of 32 columns
// the pairs of k, each 32 columns by two values. K is a kernel's rows, then 32
// channels at a time, then the kernel's columns: these read almost the same pixels,
// which are then in the first-level cache. Channels are padded with zeros.
//
// Concurrency: immutable.
type Weights struct {
	kh, kw, c, n int
	h            []uint16
}

// Bytes returns the memory that the panels take.
func (w *Weights) Bytes() int { return 2 * len(w.h) }

// steps returns how many steps of the kernels the rows are.
func (w *Weights) steps() int { return w.kh * w.kw * up(w.c, deep) / deep }

// panel returns panel j from step s on.
func (w *Weights) panel(j, s int) []uint16 { return w.h[(j*w.steps()+s)*deep*cols:] }

// packedLen returns the values of a packed matrix.
func packedLen(taps, c, n int) int { return taps * up(c, deep) * up(n, cols) }

// at returns where in a panel channel c of the first tap lies for column n.
func (w *Weights) at(c, n int) int { return (c/deep*w.kw*deep+c%deep&^1)*cols + 2*n + c%2 }

// tap returns how much further on the same channel of a tap lies.
func (w *Weights) tap(t int) int { return (t/w.kw*up(w.c, deep)/deep*w.kw + t%w.kw) * deep * cols }

// Pack packs the weights of a product.
//
// Panics: if m has another shape than planned, or its data is too short.
func (o *Op) Pack(m gemm.Matrix) *Weights {
	K, N := o.geo.C, o.geo.O
	if m.K != K || m.N != N || o.geo.KH*o.geo.KW != 1 || len(m.Data) < K*N*m.Type.Size() || m.LD != 0 {
		panic(fmt.Sprintf("narrow: matrix [%d,%d] of %d bytes given to %s", m.K, m.N, len(m.Data), o.key))
	}
	w := &Weights{kh: 1, kw: 1, c: K, n: N, h: o.pool.AllocHalves(packedLen(1, K, N))}
	size := m.Type.Size()
	o.pool.Reserve(max(K, cols))
	o.pool.Run(up(N, cols)/cols, func(worker, j int) {
		panel, row := w.panel(j, 0)[:up(K, deep)*cols], o.pool.Scratch(worker)
		n0, width := j*cols, min(cols, N-j*cols)
		if m.Layout == gemm.NK {
			for n := range width {
				o.widen(row[:K], m.Data[(n0+n)*K*size:], m.Type)
				for k, v := range row[:K] {
					panel[w.at(k, n)] = round(math.Float32bits(v))
				}
			}
			return
		}
		for k := range K {
			o.widen(row[:width], m.Data[(k*N+n0)*size:], m.Type)
			for n, v := range row[:width] {
				panel[w.at(k, n)] = round(math.Float32bits(v))
			}
		}
	})
	return w
}

// widen reads values of a matrix, which may lie at any address.
func (o *Op) widen(dst []float32, src []byte, typ gemm.DType) {
	src = src[:len(dst)*typ.Size()]
	switch typ {
	case gemm.F16:
		o.k.elem.FromF16(dst, src)
	case gemm.BF16:
		o.k.elem.FromBF16(dst, src)
	default:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	}
}

// PackTaps packs the weights of a convolution from a checkpoint's layout.
//
// Shapes: v [O,C,KH,KW]. Aliasing: v is not kept.
// Panics: if v has another length.
func (o *Op) PackTaps(v []float32) *Weights {
	g := o.geo
	taps := g.KH * g.KW
	if len(v) != g.O*g.C*taps {
		panic(fmt.Sprintf("narrow: %d weights given to %s", len(v), o.key))
	}
	w := &Weights{kh: g.KH, kw: g.KW, c: g.C, n: g.O, h: o.pool.AllocHalves(packedLen(taps, g.C, g.O))}
	further := make([]int, taps)
	for t := range further {
		further[t] = w.tap(t)
	}
	o.pool.Run(up(g.O, cols)/cols, func(_, j int) {
		panel := w.panel(j, 0)[:w.steps()*deep*cols]
		for n := range min(cols, g.O-j*cols) {
			from := v[(j*cols+n)*g.C*taps:]
			for c := range g.C {
				to := panel[w.at(c, n):]
				for t, x := range from[c*taps : (c+1)*taps] {
					to[further[t]] = round(math.Float32bits(x))
				}
			}
		}
	})
	return w
}

// narrow rounds values into the workspace.
func (k *Kernel) narrow(dst []uint16, src []float32) { k.elem.ToBF16(elem.Bytes(dst[:len(src)]), src) }
