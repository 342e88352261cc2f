package conv

// source is a part of one picture: pixel (h,w) begins at p[(h-h0)*row+(w-w0)*C].
type source struct {
	p      []float32
	row    int
	h0, w0 int
	c      int
}

func (s *source) at(h, w int) []float32 { return s.p[(h-s.h0)*s.row+(w-s.w0)*s.c:] }

// source returns what piece q reads: the picture, or with a prologue a copy of
// the piece's part of it, normalised, in the worker's scratch.
func (o *Op) source(worker int, q piece) source {
	g := o.geo
	size := g.H * g.W * g.C
	pic := source{p: o.x[q.n*size : (q.n+1)*size], row: g.W * g.C, c: g.C}
	if !o.spec.Norm {
		return pic
	}
	b := o.plan.box(o, q)
	band := source{p: o.pool.Scratch(worker)[o.plan.bandAt:], row: (b.w1 - b.w0) * g.C, h0: b.h0, w0: b.w0, c: g.C}
	for h := b.h0; h < b.h1; h++ {
		o.normalise(band.at(h, b.w0)[:band.row], pic.at(h, b.w0)[:band.row], q.n)
	}
	return band
}

// normalise is the prologue on whole pixels of picture n.
func (o *Op) normalise(dst, x []float32, n int) {
	c := o.geo.C
	o.k.elem.ScaleAdd(dst, x, o.norm.Scale[n*c:(n+1)*c], o.norm.Shift[n*c:(n+1)*c], o.spec.NormAct)
}
