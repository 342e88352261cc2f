package conv

// runFused fills, multiplies and stores one piece.
func (o *Op) runFused(worker, task int) {
	p, q := &o.plan, o.plan.pieces[task]
	m0, rows := q.n*p.rows*p.cols+q.a, q.b-q.a
	if p.inPlace {
		for j := range p.chunks {
			o.multiplyDirect(o.x[m0*p.lda:], worker, m0, rows, j)
		}
		return
	}
	scratch := o.pool.Scratch(worker)
	a := scratch[p.blockAt:]
	if o.tile() == 0 {
		o.fillDirect(a, worker, q)
		for j := range p.chunks {
			o.multiplyDirect(a, worker, m0, rows, j)
		}
		return
	}
	plane, prodPlane := rows*p.lda+planeGap, rows*o.geo.O+planeGap
	prod := scratch[p.productAt:]
	o.fillWinograd(a, plane, worker, q)
	for t := range p.points {
		o.multiplyPoint(prod[t*prodPlane:], a[t*plane:], worker, t, rows)
	}
	o.storeWinograd(prod, prodPlane, worker, m0, rows)
}

// runFill fills one piece of the current super-block into the workspace.
func (o *Op) runFill(worker, task int) {
	p, s := &o.plan, o.plan.supers[o.super]
	q := p.pieces[s.p0+task]
	a := o.ws[(q.n*p.rows*p.cols+q.a-s.m0)*p.lda:]
	if o.tile() == 0 {
		o.fillDirect(a, worker, q)
		return
	}
	o.fillWinograd(a, p.superRows*p.lda+planeGap, worker, q)
}

// runMultiply multiplies some rows of the current super-block by some columns
// of the matrix, or of one point's for the current chunk. Neighbouring tasks
// share the weights.
func (o *Op) runMultiply(worker, task int) {
	p, s := &o.plan, o.plan.supers[o.super]
	subs := p.subs(o.super)
	r0, r1 := (s.m1-s.m0)*(task%subs)/subs, (s.m1-s.m0)*(task%subs+1)/subs
	task /= subs
	if o.tile() == 0 {
		j := task
		a := o.ws
		if p.inPlace {
			a = o.x[s.m0*p.lda:]
		}
		o.multiplyDirect(a[r0*p.lda:], worker, s.m0+r0, r1-r0, j)
		return
	}
	g, t := o.geo, task
	prod := o.ws[p.productAt+t*(p.superRows*g.O+planeGap):]
	a := o.ws[t*(p.superRows*p.lda+planeGap):]
	o.multiplyPoint(prod[r0*g.O+o.chunk*p.nb:], a[r0*p.lda:], worker, t, r1-r0)
}

// runStore turns the products of some tiles of the super-block into outputs.
func (o *Op) runStore(worker, task int) {
	p, s := &o.plan, o.plan.supers[o.super]
	r0, r1 := task*p.fillRows, min((task+1)*p.fillRows, s.m1-s.m0)
	o.storeWinograd(o.ws[p.productAt+r0*o.geo.O:], p.superRows*o.geo.O+planeGap, worker, s.m0+r0, r1-r0)
}
