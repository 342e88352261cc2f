package conv

import (
	"syntic/kernels/elem"
	"syntic/kernels/gemm"
)

// Winograd's weights are kept as the nine taps that the checkpoint has, in
// float32 or in halves, and transformed when they are needed: a quarter of the
// memory of F4's 36 points, and less to read than those. A transformed block
// serves all tiles of a super-block, so the transform costs a few percent.
//
// The taps of panel j lie at [j,9,C,NR]: tap t of channel c for the panel's
// columns.

// packTaps3 packs w [O,C,3,3].
func (o *Op) packTaps3(w []float32) *Weights {
	g, nr := o.geo, o.k.gemm.NR()
	panels, size := (g.O+nr-1)/nr, 9*g.C*nr
	p := &Weights{key: o.key, typ: o.spec.Storage}
	if p.typ == gemm.F32 {
		p.taps = o.pool.Alloc(panels * size)
	} else {
		p.halves = o.pool.AllocHalves(panels * size)
		o.pool.Reserve(size)
	}
	o.pool.Run(panels, func(worker, j int) {
		var dst []float32
		if p.typ == gemm.F32 {
			dst = p.taps[j*size : (j+1)*size]
		} else {
			dst = o.pool.Scratch(worker)[:size]
			clear(dst)
		}
		for lane := range min(nr, g.O-j*nr) {
			from := w[(j*nr+lane)*g.C*9:][:g.C*9]
			for c := range g.C {
				for t, v := range from[c*9 : c*9+9] {
					dst[(t*g.C+c)*nr+lane] = v
				}
			}
		}
		if p.typ != gemm.F32 {
			o.narrow(p.halves[j*size:(j+1)*size], dst, p.typ)
		}
	})
	return p
}

func (o *Op) narrow(dst []uint16, src []float32, typ gemm.DType) {
	if typ == gemm.F16 {
		o.k.elem.ToF16(elem.Bytes(dst), src)
	} else {
		o.k.elem.ToBF16(elem.Bytes(dst), src)
	}
}

// expandLen is how many values of a tap are transformed at a time: nine of them,
// widened, stay in L1.
const expandLen = 768

// runExpand transforms some channels of one panel of the current chunk.
func (o *Op) runExpand(worker, task int) {
	g, p, nr := o.geo, &o.plan, o.k.gemm.NR()
	j, part := task/p.expandParts, task%p.expandParts
	lo, hi := g.C*part/p.expandParts*nr, g.C*(part+1)/p.expandParts*nr
	transform := o.k.weightsF4
	if o.algo == WinogradF2 {
		transform = o.k.weightsF2
	}
	from, size := (o.chunk*p.nb/nr+j)*9*g.C*nr, g.C*nr
	wide := o.pool.Scratch(worker)[p.wideAt:]
	to := o.ws[p.expandAt+j*size:]
	for i := lo; i < hi; i += expandLen {
		n := min(expandLen, hi-i)
		if o.w.typ == gemm.F32 {
			src := o.w.taps[from+i:]
			transform(to[i:], p.expandPlane, src, 3*size, size, n)
			continue
		}
		for t := range 9 {
			h := elem.Bytes(o.w.halves[from+t*size+i:][:n])
			if o.w.typ == gemm.F16 {
				o.k.elem.FromF16(wide[t*n:(t+1)*n], h)
			} else {
				o.k.elem.FromBF16(wide[t*n:(t+1)*n], h)
			}
		}
		transform(to[i:], p.expandPlane, wide, 3*n, n, n)
	}
}

// G's rows are 1, p, p² over the product of the point's distances to the other
// points, in float32. A pair of points ±p shares the even and the odd part.
var (
	gF4zero = float32(1 / (f4a2 * f4b2))
	gF4a    = gPair(f4a, f4b)
	gF4b    = gPair(f4b, f4a)
	gF2     = [3]float32{0.5, 0.5, 0.5}
)

// gPair returns the factors of the taps for the points ±p; q is the other pair.
func gPair(p, q float64) [3]float32 {
	d := 2 * p * p * (p*p - q*q)
	return [3]float32{float32(1 / d), float32(p / d), float32(p * p / d)}
}

// pair returns the values at a point and at its negative.
func pair(g [3]float32, f [3]float32) (plus, minus float32) {
	even, odd := fma(f[2], g[2], float32(f[0]*g[0])), float32(f[1]*g[1])
	return even + odd, even - odd
}

// gt4 is F4's G g.
func gt4(g [3]float32) [6]float32 {
	a1, a2 := pair(g, gF4a)
	b1, b2 := pair(g, gF4b)
	return [6]float32{float32(gF4zero * g[0]), a1, a2, b1, b2, g[2]}
}

// gt2 is F2's G g.
func gt2(g [3]float32) [4]float32 {
	p, m := pair(g, gF2)
	return [4]float32{g[0], p, m, g[2]}
}

// weightsF4 writes dst[t·plane+i] for each point t: the transform G g Gᵀ of the
// taps whose (r,s) is src[r·row+s·col+i], i below n.
func weightsF4(dst []float32, plane int, src []float32, row, col, n int) {
	for i := range n {
		var half [3][6]float32 // column s of G·g
		for s := range 3 {
			half[s] = gt4([3]float32{src[s*col+i], src[row+s*col+i], src[2*row+s*col+i]})
		}
		for u := range 6 {
			for v, x := range gt4([3]float32{half[0][u], half[1][u], half[2][u]}) {
				dst[(u*6+v)*plane+i] = x
			}
		}
	}
}

// weightsF2 is F2's.
func weightsF2(dst []float32, plane int, src []float32, row, col, n int) {
	for i := range n {
		var half [3][4]float32
		for s := range 3 {
			half[s] = gt2([3]float32{src[s*col+i], src[row+s*col+i], src[2*row+s*col+i]})
		}
		for u := range 4 {
			for v, x := range gt2([3]float32{half[0][u], half[1][u], half[2][u]}) {
				dst[(u*4+v)*plane+i] = x
			}
		}
	}
}
