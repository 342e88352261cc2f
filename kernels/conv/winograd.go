package conv

import (
	"syntic/kernels/gemm"
	"syntic/kernels/ref"
)

// The Winograd algorithm for m outputs of 3 taps is Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A
// with matrices made from m+1 points and infinity (Lavin and Gray, arXiv
// 1509.09308). F2 uses the points 0, 1, -1. F4 uses 0, ±5/8, ±3/2: with the
// textbook's 0, ±1, ±2 the error is twice as large; no pair on a grid of 1/8
// is better, nor 0, ±√½, ±√2. The choice of points matters as Barabasz et al.
// say, arXiv 1803.10986.
const (
	f4a  = 0.625
	f4b  = 1.5
	f4a2 = f4a * f4a
	f4b2 = f4b * f4b
)

// chain is how many channels are summed in one go; the sums of chains are
// added in order. The output transform enlarges the sums' rounding errors:
// with gemm's own chains of 256 the errors are 5e-7 (F2) and 1.5e-6 (F4) where
// chains of 64 give 2.8e-7 and 8e-7.
const chain = 64

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

// multiplyPoint multiplies transformed tiles by the expanded weights of point t:
// the columns of the current chunk, where prod begins.
func (o *Op) multiplyPoint(prod, a []float32, worker, t, rows int) {
	g, p := o.geo, &o.plan
	cols := min(p.nb, g.O-o.chunk*p.nb)
	w := &o.points[worker]
	*w = o.k.gemm.View(o.ws[p.expandAt+t*p.expandPlane:], g.C, cols).InChains(chain)
	ep := &o.ep[worker]
	*ep = gemm.Epilogue{}
	o.k.gemm.Block(prod, g.O, a, p.lda, w, rows, 0, cols, ep, o.pool.Scratch(worker))
}

// storeWinograd writes the outputs of the tiles [m0,m0+rows), counted over all
// pictures, from their products.
func (o *Op) storeWinograd(prod []float32, plane, worker, m0, rows int) {
	p := &o.plan
	grid := p.rows * p.cols
	patch := o.pool.Scratch(worker)[p.patchAt:]
	for i := range rows {
		at := (m0 + i) % grid
		o.storeTile(prod[i*o.geo.O:], plane, patch, (m0+i)/grid, at/p.cols, at%p.cols)
	}
}

// storeTile transforms the products of one tile of picture pic into outputs;
// rows and columns past the picture's are dropped.
func (o *Op) storeTile(prod []float32, plane int, patch []float32, pic, tr, tc int) {
	side, oh, ow, n := o.tile(), o.geo.OutH(), o.geo.OutW(), o.geo.O
	transform := o.k.outputF4
	if o.algo == WinogradF2 {
		transform = o.k.outputF2
	}
	h, w := tr*side, tc*side
	at := ((pic*oh+h)*ow + w) * n
	relu := o.spec.Act == ref.ReLU
	rows, cols := min(side, oh-h), min(side, ow-w)
	var res []float32
	if rows == side && cols == side {
		if o.residual != nil {
			res = o.residual[at:]
		}
		transform(o.dst[at:], ow*n, n, prod, plane, o.bias, res, n, relu)
	} else {
		out := patch[:side*side*n]
		if o.residual != nil {
			res = patch[side*side*n:]
			for r := range rows {
				copy(res[r*side*n:], o.residual[at+r*ow*n:][:cols*n])
			}
		}
		transform(out, side*n, n, prod, plane, o.bias, res, n, relu)
		for r := range rows {
			copy(o.dst[at+r*ow*n:], out[r*side*n:][:cols*n])
		}
	}
	if o.spec.Act == ref.None || relu {
		return
	}
	for r := range rows {
		y := o.dst[at+r*ow*n:][:cols*n]
		o.k.elem.Act(y, y, o.spec.Act)
	}
}
