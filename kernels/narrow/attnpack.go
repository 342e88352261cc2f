package narrow

// runPack rounds 32 tokens of one batch item, all heads of them, into the
// workspace.
func (a *Attention) runPack(worker, task int) {
	per := max(a.lq, a.lk) / cols
	b, first := task/per, task%per*cols
	mem := a.pool.Scratch(worker)
	n := a.H * a.D
	rows := halves(mem[n : n+cols*up(n, 2)/2])
	if first < a.lq {
		a.packQueries(mem[:n], rows[:n], b, first)
	}
	if first < a.lk {
		a.round(rows, a.kk[b*a.BatchK:], a.StrideK, first)
		a.packKeys(rows, b, first)
		a.round(rows, a.v[b*a.BatchV:], a.StrideV, first)
		a.packValues(rows, b, first)
	}
}

// packQueries scales and rounds queries: each head's [lq, dp].
func (a *Attention) packQueries(row []float32, half []uint16, b, first int) {
	for i := first; i < first+queries; i++ {
		if i < a.LQ {
			a.k.elem.Scale(row, a.q[b*a.BatchQ+i*a.StrideQ:][:len(row)], a.c)
			a.k.toBF16(half, row)
		} else {
			clear(half)
		}
		for h := range a.H {
			to := a.a[((b*a.H+h)*a.lq+i)*a.dp:][:a.dp]
			copy(to, half[h*a.D:(h+1)*a.D])
			clear(to[a.D:])
		}
	}
}

// round rounds 32 rows of keys or values, zeros after the last one.
func (a *Attention) round(rows []uint16, x []float32, stride, first int) {
	n := a.H * a.D
	for i := range cols {
		row := rows[i*n : (i+1)*n]
		if first+i < a.LK {
			a.k.toBF16(row, x[(first+i)*stride:][:n])
		} else {
			clear(row)
		}
	}
}

// packKeys writes each head's panel of 32 keys: pairs of the head's dimensions.
func (a *Attention) packKeys(rows []uint16, b, first int) {
	n := a.H * a.D
	for h := range a.H {
		to := a.a[a.kAt+((b*a.H+h)*a.lk+first)*a.dp:][:cols*a.dp]
		for d := 0; d < a.D; d += 2 {
			pair := to[d*cols:][:2*cols]
			odd := d+1 == a.D
			for i := range cols {
				from := rows[i*n+h*a.D+d:]
				pair[2*i] = from[0]
				if pair[2*i+1] = 0; !odd {
					pair[2*i+1] = from[1]
				}
			}
		}
		clear(to[up(a.D, 2)*cols:])
	}
}

// packValues writes each head's 16 pairs of keys into panels of 16 dimensions.
func (a *Attention) packValues(rows []uint16, b, first int) {
	n := a.H * a.D
	for h := range a.H {
		for p := range a.panels {
			block := (b*a.H+h)*a.lk/keysBlock + first/keysBlock
			to := a.a[a.vAt+((block*a.panels+p)*keysBlock+first%keysBlock)*16:][:cols*16]
			d := p * 16
			width := min(16, a.D-d)
			for j := range cols / 2 {
				even, odd := rows[2*j*n+h*a.D+d:][:width], rows[(2*j+1)*n+h*a.D+d:][:width]
				pair := to[j*32 : j*32+32]
				for i, v := range even {
					pair[2*i], pair[2*i+1] = v, odd[i]
				}
				clear(pair[2*width:])
			}
		}
	}
}
