package conv

import "syntic/kernels/gemm"

// The Winograd algorithm for m outputs of 3 taps is Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A
// with matrices made from m+1 points and infinity (Lavin and Gray, arXiv
// 1509.09308). F2 uses the points 0, 1, -1. F4 uses 0, ±5/8, ±3/2: with the
// textbook's 0, ±1, ±2 the error is 2.2 times as large, with these it is the
// least of all pairs on a grid of 1/8 (within 5 % of 0, ±√½, ±√2), and every
// entry of Bᵀ but two is exact. (Barabasz et al., arXiv 1803.10986, on the
// choice of points.)
const (
	f4a  = 0.625
	f4b  = 1.5
	f4a2 = f4a * f4a
	f4b2 = f4b * f4b
)

// Weights are transformed in float64 and rounded once.
var (
	gF2 = [][3]float64{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}
	gF4 = [][3]float64{gRow(0), gRow(f4a), gRow(-f4a), gRow(f4b), gRow(-f4b), {0, 0, 1}}
)

// gRow is the row of G for a point p of F4: 1, p, p² over the product of p's
// distances to the other points.
func gRow(p float64) [3]float64 {
	d := 1.0
	for _, q := range []float64{0, f4a, -f4a, f4b, -f4b} {
		if q != p {
			d *= p - q
		}
	}
	return [3]float64{1 / d, p / d, p * p / d}
}

// packWinograd transforms the weights; the matrix of chunk j and point t is
// at j·points+t, so that a multiplication reads them in order.
func (o *Op) packWinograd(w []float32) []*gemm.Weights {
	g, p := o.geo, &o.plan
	rows := gF4
	if o.algo == WinogradF2 {
		rows = gF2
	}
	t := len(rows)
	mats := make([]*gemm.Weights, p.chunks*p.points)
	b := make([]float32, p.points*p.nb*g.C)
	for j := range p.chunks {
		n := min(p.nb, g.O-j*p.nb)
		for i := range n * g.C {
			k := w[(j*p.nb*g.C+i)*9:][:9]
			for u := range rows {
				var half [3]float64 // row u of G·g
				for v := range 3 {
					for r, c := range rows[u] {
						half[v] += c * float64(k[r*3+v])
					}
				}
				for v, c := range rows {
					b[(u*t+v)*n*g.C+i] = float32(half[0]*c[0] + half[1]*c[1] + half[2]*c[2])
				}
			}
		}
		for u := range p.points {
			mats[j*p.points+u] = o.k.gemm.PackF32(b[u*n*g.C:(u+1)*n*g.C], gemm.NK, g.C, n)
		}
	}
	return mats
}

// fillWinograd writes the transformed tiles of a piece: tile i at point t to
// a[t·plane+i·lda].
func (o *Op) fillWinograd(a []float32, plane, worker int, q piece) {
	g, p := o.geo, &o.plan
	transform := o.k.inputF4
	if o.algo == WinogradF2 {
		transform = o.k.inputF2
	}
	src := o.source(worker, q)
	side := p.extentH
	patch := o.pool.Scratch(worker)[p.patchAt:][:side*side*g.C]
	for m := q.a; m < q.b; m++ {
		h, w := m/p.cols*p.stepH-g.PadT, m%p.cols*p.stepW-g.PadL
		if h >= 0 && w >= 0 && h+side <= g.H && w+side <= g.W {
			transform(a[(m-q.a)*p.lda:], plane, src.at(h, w), src.row, g.C, g.C)
			continue
		}
		clear(patch)
		w0, w1 := max(w, 0), min(w+side, g.W)
		for r := max(h, 0); r < min(h+side, g.H) && w0 < w1; r++ {
			copy(patch[((r-h)*side+w0-w)*g.C:], src.at(r, w0)[:(w1-w0)*g.C])
		}
		transform(a[(m-q.a)*p.lda:], plane, patch, side*g.C, g.C, g.C)
	}
}

// multiplyWinograd computes chunk j of the outputs of the tiles [m0,m0+rows),
// counted over all pictures, from their transformed inputs.
func (o *Op) multiplyWinograd(a []float32, plane, worker, m0, rows, j int) {
	g, p := o.geo, &o.plan
	scratch := o.pool.Scratch(worker)
	prod := scratch[p.productAt:]
	n0 := j * p.nb
	n := min(p.nb, g.O-n0)
	prodPlane := rows*p.nb + planeGap
	ep := &o.ep[worker]
	*ep = gemm.Epilogue{}
	for t := range p.points {
		o.k.gemm.Block(prod[t*prodPlane:], p.nb, a[t*plane:], p.lda, o.w.mats[j*p.points+t], rows, 0, n, ep, scratch)
	}
	var bias []float32
	if o.bias != nil {
		bias = o.bias[n0 : n0+n]
	}
	grid := p.rows * p.cols
	for i := range rows {
		at := (m0 + i) % grid
		o.storeTile(prod[i*p.nb:], prodPlane, scratch[p.patchAt:], bias, (m0+i)/grid, at/p.cols, at%p.cols, n0, n)
	}
}

// storeTile transforms the products of one tile into outputs, channels
// [n0,n0+n), of picture pic; rows and columns past the picture's are dropped.
func (o *Op) storeTile(prod []float32, plane int, patch, bias []float32, pic, tr, tc, n0, n int) {
	p, side := &o.plan, o.tile()
	oh, ow := o.geo.OutH(), o.geo.OutW()
	transform := o.k.outputF4
	if o.algo == WinogradF2 {
		transform = o.k.outputF2
	}
	h, w := tr*side, tc*side
	row, col := ow*o.geo.O, o.geo.O
	at := (pic*oh+h)*row + w*col + n0
	relu := o.spec.Act == actReLU
	rows, cols := min(side, oh-h), min(side, ow-w)
	if rows == side && cols == side {
		var res []float32
		if o.residual != nil {
			res = o.residual[at:]
		}
		transform(o.dst[at:], row, col, prod, plane, bias, res, n, relu)
	} else {
		out := patch[:side*side*p.nb]
		var res []float32
		if o.residual != nil {
			res = patch[side*side*p.nb:]
			for r := range rows {
				for c := range cols {
					copy(res[(r*side+c)*p.nb:][:n], o.residual[at+r*row+c*col:])
				}
			}
		}
		transform(out, side*p.nb, p.nb, prod, plane, bias, res, n, relu)
		for r := range rows {
			for c := range cols {
				copy(o.dst[at+r*row+c*col:][:n], out[(r*side+c)*p.nb:])
			}
		}
	}
	if o.spec.Act <= actReLU {
		return
	}
	for r := range rows {
		for c := range cols {
			y := o.dst[at+r*row+c*col:][:n]
			o.k.elem.Act(y, y, o.spec.Act)
		}
	}
}
