package narrow

// runFill packs some rows of a region into the workspace.
func (o *Op) runFill(worker, task int) {
	g := o.geo
	at, q := task/o.fills, o.regions[o.supers[o.super].r0+task/o.fills]
	a := o.a[at*o.size:][:o.size]
	temp := o.pool.Scratch(worker)
	// Rows of the padded picture that this region's outputs read.
	rows := (q.r1-q.r0-1)*g.StrideH + (g.KH-1)*g.DilH + 1
	p0, p1 := task%o.fills*o.fill, min((task%o.fills+1)*o.fill, rows)
	if o.dense {
		if p0 < p1 {
			o.pixels(a[p0*o.rp:], temp, q.n, q.r0+p0, 1, p1-p0)
		}
		return
	}
	for p := p0; p < p1; p++ {
		h := q.r0*g.StrideH + p - g.PadT
		for phase := range g.StrideW {
			if slot := o.slot[p%g.StrideH*g.StrideW+phase]; slot >= 0 {
				o.fillRow(a[(slot*o.planeRows+p/g.StrideH)*o.wp*o.rp:][:o.wp*o.rp], temp, q.n, h, phase)
			}
		}
	}
}

// fillRow writes a plane's row: of row h of picture n, padded, the pixels from
// phase on that are a stride apart.
func (o *Op) fillRow(row []uint32, temp []float32, n, h, phase int) {
	g := o.geo
	if h < 0 || h >= g.H {
		clear(row)
		return
	}
	i0 := max(0, (g.PadL-phase+g.StrideW-1)/g.StrideW)
	w := i0*g.StrideW + phase - g.PadL
	count := 0
	if w < g.W {
		count = (g.W - w + g.StrideW - 1) / g.StrideW
	}
	clear(row[:i0*o.rp])
	o.pixels(row[i0*o.rp:], temp, n, h*g.W+w, g.StrideW, count)
	clear(row[(i0+count)*o.rp:])
}

// pixels packs count pixels of picture n, step apart from the first one on,
// after the prologue.
func (o *Op) pixels(dst []uint32, temp []float32, n, first, step, count int) {
	c := o.geo.C
	per := 1 // pixels at a time
	if step*o.ldx == c && !o.int8 && c == 2*o.rp {
		per = max(1, tempLen/c)
	}
	for i := 0; i < count; i += per {
		m := min(per, count-i)
		x := o.x[(n*o.geo.H*o.geo.W+first+i*step)*o.ldx:][:m*c]
		if o.norm {
			o.k.elem.ScaleAdd(temp[:m*c], x, o.stats.Scale[n*c:(n+1)*c], o.stats.Shift[n*c:(n+1)*c], o.normAct)
			x = temp[:m*c]
		}
		o.k.narrow(dst[i*o.rp:], x, o.format, false)
	}
}
