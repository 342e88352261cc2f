package conv

import "syntic/kernels/ref"

// packTaps turns [C,1,KH,KW] into [KH,KW,C].
func packTaps(w []float32, g ref.Conv2D) []float32 {
	taps := make([]float32, len(w))
	for c := range g.C {
		for t := range g.KH * g.KW {
			taps[t*g.C+c] = w[c*g.KH*g.KW+t]
		}
	}
	return taps
}

// runDepthwise computes one output row of one picture: for each output the
// taps inside the picture, in ascending order, then bias and residual.
func (o *Op) runDepthwise(worker, task int) {
	g, p := o.geo, &o.plan
	n, r := task/p.rows, task%p.rows
	src := o.source(worker, piece{n, r * p.cols, (r + 1) * p.cols})
	h := r*g.StrideH - g.PadT
	kh0, kh1 := inside(h, g.DilH, g.KH, g.H)
	for q := range p.cols {
		at := (task*p.cols + q) * g.C
		y := o.dst[at : at+g.C]
		sum := o.pool.Scratch(worker)[:g.C]
		clear(sum)
		w := q*g.StrideW - g.PadL
		kw0, kw1 := inside(w, g.DilW, g.KW, g.W)
		for kh := kh0; kh < kh1; kh++ {
			for kw := kw0; kw < kw1; kw++ {
				x := src.at(h+kh*g.DilH, w+kw*g.DilW)[:g.C]
				taps := o.w.taps[(kh*g.KW+kw)*g.C:][:g.C]
				for c, v := range x {
					sum[c] += float32(v * taps[c])
				}
			}
		}
		for c, v := range sum {
			if o.bias != nil {
				v += o.bias[c]
			}
			if o.residual != nil {
				v += o.residual[at+c]
			}
			y[c] = v
		}
		if o.spec.Act != ref.None {
			o.k.elem.Act(y, y, o.spec.Act)
		}
	}
}
