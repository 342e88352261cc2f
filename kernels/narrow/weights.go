package narrow

import (
	"encoding/binary"
	"fmt"
	"math"

	"syntic/kernels/gemm"
)

// Weights is a matrix [K,N], rounded and packed: for every panel of 32 columns
// its steps of k (see format). K is a kernel's rows, then a step's channels, then
// the kernel's columns: these read almost the same pixels, which are then in the
// first-level cache. Channels are padded with zeros.
//
// Concurrency: immutable.
type Weights struct {
	format
	kh, kw, c, n int
	w            []uint32
}

// Bytes returns the memory that the panels take.
func (w *Weights) Bytes() int { return 4 * len(w.w) }

// panel returns panel j from step s on.
func (w *Weights) panel(j, s int) []uint32 { return w.w[(j*w.kh*w.kw*w.each+s)*w.b:] }

// step returns which step of a panel holds step i of a tap's channels.
func (w *Weights) step(tap, i int) int { return (tap/w.kw*w.each+i)*w.kw + tap%w.kw }

// put places a column's step, packed as a pixel's, in that of a panel.
func (w *Weights) put(to []uint32, n int, from []uint32) {
	if !w.int8 {
		for i, v := range from {
			to[i*cols+n] = v
		}
		return
	}
	sum := int32(0)
	for i, v := range from[2:] {
		v ^= 0x80808080
		to[(1+i)*cols+n] = v
		sum += int32(int8(v)) + int32(int8(v>>8)) + int32(int8(v>>16)) + int32(int8(v>>24))
	}
	to[n], to[len(to)-cols+n] = uint32(sum), from[0]
}

// pack packs what read fetches: of the columns from n0 on, width of them, the
// channels from c0 on of a tap, to rows of dst.
func (o *Op) pack(read func(dst [][]float32, n0, tap, c0 int)) *Weights {
	g := o.geo
	w := &Weights{format: o.format, kh: g.KH, kw: g.KW, c: g.C, n: g.O, w: words(o.pool.Alloc(o.WeightBytes() / 4))}
	o.pool.Reserve(cols*(w.deep+1) + w.a)
	o.pool.Run(up(g.O, cols)/cols, func(worker, j int) {
		panel, scratch := w.panel(j, 0), o.pool.Scratch(worker)
		cell, width := words(scratch[cols*(w.deep+1):])[:w.a], min(cols, g.O-j*cols)
		for tap := range g.KH * g.KW {
			for i := range w.each {
				var rows [cols][]float32
				for n := range width {
					rows[n] = scratch[n*w.deep:][:min(w.deep, g.C-i*w.deep)]
				}
				read(rows[:width], j*cols, tap, i*w.deep)
				for n, v := range rows[:width] {
					o.k.narrow(cell, v, w.format, true)
					w.put(panel[w.step(tap, i)*w.b:][:w.b], n, cell)
				}
			}
		}
	})
	return w
}

// Pack packs the weights of a product.
//
// Panics: if m has another shape than planned, or its data is too short.
func (o *Op) Pack(m gemm.Matrix) *Weights {
	K, N := o.geo.C, o.geo.O
	if m.K != K || m.N != N || o.geo.KH*o.geo.KW != 1 || len(m.Data) < K*N*m.Type.Size() || m.LD != 0 {
		panic(fmt.Sprintf("narrow: matrix [%d,%d] of %d bytes given to %s", m.K, m.N, len(m.Data), o.key))
	}
	size := m.Type.Size()
	return o.pack(func(dst [][]float32, n0, _, k0 int) {
		if m.Layout == gemm.NK {
			for n, row := range dst {
				o.widen(row, m.Data[((n0+n)*K+k0)*size:], m.Type)
			}
			return
		}
		var row [cols]float32
		for k := range dst[0] {
			o.widen(row[:len(dst)], m.Data[((k0+k)*N+n0)*size:], m.Type)
			for n := range dst {
				dst[n][k] = row[n]
			}
		}
	})
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
	return o.pack(func(dst [][]float32, n0, tap, c0 int) {
		for n, row := range dst {
			from := v[((n0+n)*g.C+c0)*taps:]
			for c := range row {
				row[c] = from[c*taps+tap]
			}
		}
	})
}
