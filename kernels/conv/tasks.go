package conv

// runFused fills and multiplies one piece.
func (o *Op) runFused(worker, task int) {
	p, q := &o.plan, o.plan.pieces[task]
	m0, rows := q.n*p.rows*p.cols+q.a, q.b-q.a
	a := o.x
	plane := p.fillRows*p.lda + planeGap
	if p.inPlace {
		a = a[m0*p.lda:]
	} else {
		a = o.pool.Scratch(worker)[p.blockAt:]
		o.fillPiece(a, plane, worker, q)
	}
	for j := range p.chunks {
		o.multiplyRows(a, plane, worker, m0, rows, j)
	}
}

// runFill fills one piece of the current super-block into the workspace.
func (o *Op) runFill(worker, task int) {
	p, s := &o.plan, o.plan.supers[o.super]
	q := p.pieces[s.p0+task]
	at := q.n*p.rows*p.cols + q.a - s.m0
	o.fillPiece(o.ws[at*p.lda:], o.superPlane(), worker, q)
}

// runMultiply computes one chunk of some rows of the current super-block.
// Neighbouring tasks share the chunk, so that its weights are read once.
func (o *Op) runMultiply(worker, task int) {
	p, s := &o.plan, o.plan.supers[o.super]
	subs := (s.m1 - s.m0 + p.subRows - 1) / p.subRows
	j, i := task/subs, task%subs
	r0, r1 := (s.m1-s.m0)*i/subs, (s.m1-s.m0)*(i+1)/subs
	a := o.ws
	if p.inPlace {
		a = o.x[s.m0*p.lda:]
	}
	o.multiplyRows(a[r0*p.lda:], o.superPlane(), worker, s.m0+r0, r1-r0, j)
}

// superPlane is the distance of Winograd's planes in the workspace.
func (o *Op) superPlane() int {
	s := o.plan.supers[o.super]
	return (s.m1-s.m0)*o.plan.lda + planeGap
}

func (o *Op) fillPiece(a []float32, plane, worker int, q piece) {
	if o.tile() > 0 {
		o.fillWinograd(a, plane, worker, q)
		return
	}
	o.fillDirect(a, worker, q)
}

func (o *Op) multiplyRows(a []float32, plane, worker, m0, rows, j int) {
	if o.tile() > 0 {
		o.multiplyWinograd(a, plane, worker, m0, rows, j)
		return
	}
	o.multiplyDirect(a, worker, m0, rows, j)
}
