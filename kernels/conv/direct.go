package conv

import (
	"syntic/kernels/gemm"
	"syntic/kernels/ref"
)

// packDirect packs each group's weights.
func (o *Op) packDirect(w []float32) []*gemm.Weights {
	g := o.geo
	var mats []*gemm.Weights
	for group := range g.Groups {
		b := gemm.FloatMatrix(orderTaps(w, g, group), gemm.NK, o.plan.depth, g.O/g.Groups)
		mats = append(mats, o.k.gemm.Pack(o.pool, b, o.spec.Storage))
	}
	return mats
}

// orderTaps returns a group's weights as [O/G, KH,KW,C/G]: the order of A.
func orderTaps(w []float32, g ref.Conv2D, group int) []float32 {
	cg, og, taps := g.C/g.Groups, g.O/g.Groups, g.KH*g.KW
	b := make([]float32, og*cg*taps)
	for n := range og {
		for c := range cg {
			for t := range taps {
				b[(n*taps+t)*cg+c] = w[((group*og+n)*cg+c)*taps+t]
			}
		}
	}
	return b
}

// fillDirect writes the receptive fields of a piece to the rows of a.
func (o *Op) fillDirect(a []float32, worker int, q piece) {
	g, p := o.geo, &o.plan
	if o.pointwise() {
		from := q.n*g.H*g.W + q.a
		o.normalise(a[:(q.b-q.a)*g.C], o.x[from*g.C:(from+q.b-q.a)*g.C], q.n)
		return
	}
	src := o.source(worker, q)
	for m := q.a; m < q.b; {
		r, c := m/p.cols, m%p.cols
		n := min(p.cols-c, q.b-m)
		o.fillRow(a[(m-q.a)*p.lda:], &src, r, c, n)
		m += n
	}
}

// fillRow writes the receptive fields of outputs [c0,c0+n) of output row r.
func (o *Op) fillRow(a []float32, src *source, r, c0, n int) {
	g, p := o.geo, &o.plan
	h := r*g.StrideH - g.PadT
	kh0, kh1 := inside(h, g.DilH, g.KH, g.H)
	// Outputs [lo,hi) read no padding left or right.
	lo := min(max(c0, (g.PadL+g.StrideW-1)/g.StrideW), c0+n)
	hi := c0 + n
	if last := g.W - p.extentW + g.PadL; last < 0 {
		hi = lo
	} else {
		hi = max(lo, min(hi, last/g.StrideW+1))
	}
	for c := c0; c < c0+n; c++ {
		if c == lo && hi > lo && kh1 > kh0 {
			o.fillSpan(a[(lo-c0)*p.lda:], src, h, kh0, kh1, lo*g.StrideW-g.PadL, hi-lo)
			c = hi - 1
			continue
		}
		o.fillEdge(a[(c-c0)*p.lda:][:g.Groups*p.depth], src, h, kh0, kh1, c*g.StrideW-g.PadL)
	}
}

// inside returns the taps [k0,k1) of k, dil apart from position at on, that
// lie within [0,n).
func inside(at, dil, k, n int) (k0, k1 int) {
	if at < 0 {
		k0 = (-at + dil - 1) / dil
	}
	if at >= n {
		return 0, 0
	}
	k1 = min(k, (n-at+dil-1)/dil)
	return min(k0, k1), k1
}

// fillSpan writes the receptive fields of n outputs whose columns all lie in
// the picture; the first reads columns from w on.
func (o *Op) fillSpan(a []float32, src *source, h, kh0, kh1, w, n int) {
	g, p := o.geo, &o.plan
	cg := g.C / g.Groups
	tapRow := g.KW * cg
	if kh0 > 0 || kh1 < g.KH {
		for i := range n {
			for group := range g.Groups {
				row := a[i*p.lda+group*p.depth:]
				clear(row[:kh0*tapRow])
				clear(row[kh1*tapRow : p.depth])
			}
		}
	}
	if g.Groups == 1 && g.DilW == 1 {
		// A call moves up to 32 Ki floats: assembly can't be preempted.
		step := max(1, 1<<15/p.depth)
		for i := 0; i < n; i += step {
			o.k.copyRuns(a[i*p.lda+kh0*tapRow:], src.at(h+kh0*g.DilH, w+i*g.StrideW), p.lda, g.StrideW*g.C, min(step, n-i), kh1-kh0, tapRow, g.DilH*src.row)
		}
		return
	}
	for group := range g.Groups {
		for kh := kh0; kh < kh1; kh++ {
			o.k.copyRuns(a[group*p.depth+kh*tapRow:], src.at(h+kh*g.DilH, w)[group*cg:], p.lda, g.StrideW*g.C, n, g.KW, cg, g.DilW*g.C)
		}
	}
}

// fillEdge writes one receptive field that may reach into the padding.
func (o *Op) fillEdge(row []float32, src *source, h, kh0, kh1, w int) {
	g := o.geo
	cg := g.C / g.Groups
	kw0, kw1 := inside(w, g.DilW, g.KW, g.W)
	clear(row)
	for group := range g.Groups {
		for kh := kh0; kh < kh1; kh++ {
			if g.Groups == 1 && g.DilW == 1 && kw0 < kw1 {
				copy(row[(kh*g.KW+kw0)*cg:(kh*g.KW+kw1)*cg], src.at(h+kh*g.DilH, w+kw0))
				continue
			}
			for kw := kw0; kw < kw1; kw++ {
				at := group*o.plan.depth + (kh*g.KW+kw)*cg
				copy(row[at:at+cg], src.at(h+kh*g.DilH, w+kw*g.DilW)[group*cg:])
			}
		}
	}
}

// multiplyDirect computes chunk j of the outputs [m0,m0+rows) from their rows
// of A; m0 counts over all pictures.
func (o *Op) multiplyDirect(a []float32, worker, m0, rows, j int) {
	g, p := o.geo, &o.plan
	ep := &o.ep[worker]
	*ep = gemm.Epilogue{Act: o.spec.Act, LDR: g.O}
	col, n0, n1 := 0, j*p.nb, min((j+1)*p.nb, g.O)
	w := o.w.mats[0]
	if g.Groups > 1 {
		w, col, n0, n1 = o.w.mats[j], j*p.nb, 0, p.nb
		a = a[j*p.depth:]
	}
	if o.bias != nil {
		ep.Bias = o.bias[col:]
	}
	if o.residual != nil {
		ep.Residual = o.residual[m0*g.O+col:]
	}
	o.k.gemm.Block(o.dst[m0*g.O+col:], g.O, a, p.lda, w, rows, n0, n1, ep, o.pool.Scratch(worker))
}

type copyRunsFunc func(dst, src []float32, dstStep, srcStep, n, runs, run, runStep int)

// copyRuns copies, for each of n outputs, runs pieces of run floats, runStep
// apart in src and without gaps in dst, and writes nothing else.
func copyRuns(dst, src []float32, dstStep, srcStep, n, runs, run, runStep int) {
	for i := range n {
		d, s := dst[i*dstStep:], src[i*srcStep:]
		for r := range runs {
			copy(d[r*run:(r+1)*run], s[r*runStep:])
		}
	}
}
