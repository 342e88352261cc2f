package attn

// maxVecs is how many vectors of queries a tile may hold.
const maxVecs = 3

// blockWork bounds the keys of a block: 64 up to a head dimension of 512, so
// that one assembly call stays below 20 µs.
const blockWork = 1 << 15

// taskFloats is about how much of a worker's second-level cache the queries and
// results of one task may fill; its tiles share each block of keys while it is
// in the first-level cache.
const taskFloats = 1 << 16

// packQueries is from how many queries on copying K and V to dense rows pays.
const packQueries = 256

// tile is a span of queries on the lanes: vecs vectors from query first on.
type tile struct{ first, vecs int }

// tilePlan is how the tile road splits the work. All sizes are in floats.
type tilePlan struct {
	tiles []tile
	// covered is how many queries the tiles take. The last few go one by one
	// where that is less work than a vector that they hardly fill: 50 queries
	// of CLIP took 54.5 µs as 4 vectors, 48.5 as 3 and two rows. Heads narrower
	// than 4 vectors leave the row road waiting for its few sums.
	covered int
	block   int // keys of a block
	depth   int // D padded to whole vectors: rows of a transposed query or result
	width   int // lanes of a full tile
	size    int // scratch of one tile: queries, results, maximum, sum, correction
	scale   []float32
	zeros   []float32
}

// planTiles splits the work for the tile road.
func (o *Op) planTiles() {
	w := o.k.lanes
	p := &o.tilePlan
	p.width = maxVecs * w
	p.depth = (o.D + w - 1) / w * w
	p.size = 2*p.depth*p.width + 3*p.width
	p.block = min(max(blockWork/o.D, 16), 64) &^ 7
	p.covered = o.LQ
	if rest := o.LQ % w; rest <= o.k.rest && o.LQ > w && o.D >= 4*w {
		p.covered -= rest
	}
	p.scale = make([]float32, w)
	for i := range p.scale {
		p.scale[i] = o.c
	}
	p.zeros = make([]float32, o.D)
	// Full tiles, but 2+2 vectors at the end rather than 3+1: a single vector
	// leaves the multipliers half idle.
	for first, left := 0, (p.covered+w-1)/w; left > 0; {
		n := min(left, maxVecs)
		if left == maxVecs+1 {
			n = 2
		}
		p.tiles = append(p.tiles, tile{first, n})
		first, left = first+n*w, left-n
	}
	heads := o.B * o.H
	o.group = min(max(taskFloats/p.size, 1), max(heads*len(p.tiles)/(4*o.pool.Workers()), 1), len(p.tiles))
	o.chunks = (len(p.tiles) + o.group - 1) / o.group
	o.packed = o.KeyMask || o.LQ >= packQueries && (o.StrideK != o.D || o.StrideV != o.D)
	if o.KeyMask {
		o.seen = make([]int32, o.B*(o.LK+1))
	}
	o.tasks = heads * o.chunks
	o.task, o.pack = o.tileTask, o.packTask
	o.pool.Reserve(o.group*p.size + p.width*(p.block+8) + w*o.D)
}

// tileTask attends with the queries of a few tiles of one head.
func (o *Op) tileTask(worker, task int) {
	p := &o.tilePlan
	b, h, part := task/o.chunks/o.H, task/o.chunks%o.H, task%o.chunks
	first := part * o.group
	tiles := p.tiles[first:min(first+o.group, len(p.tiles))]
	mem := o.pool.Scratch(worker)
	s := mem[o.group*p.size:]
	rows := s[p.width*(p.block+8):]

	keys, strideK, values, strideV := o.operands(b, h)
	for i, t := range tiles {
		o.load(t, mem[i*p.size:], rows, b, h)
	}
	total, most := o.visible(b, o.LQ-1), o.visible(b, tiles[len(tiles)-1].last(o))
	for j := 0; j < most; {
		// The blocks depend on the number of keys alone: a query's bits don't
		// depend on the tile it is in. A rest too short for the kernel's
		// group of keys joins the last block.
		end := j + p.block
		if total-end < o.k.rows {
			end = total
		}
		for i, t := range tiles {
			m := mem[i*p.size:]
			n := min(end, o.visible(b, t.last(o))) - j
			if n <= 0 {
				continue
			}
			wide := t.vecs * o.k.lanes
			state := m[2*p.depth*p.width:]
			// Whole groups of keys, where there are as many: what is beyond n
			// isn't looked at.
			more := min((n+o.k.rows-1)/o.k.rows*o.k.rows, end-j)
			o.k.scores[t.vecs](&s[0], &m[0], &keys[j*strideK], strideK, more, o.D)
			if o.Causal {
				o.hide(s, t, b, j, n)
			}
			o.k.online(&s[0], &state[0], &state[wide], &state[2*wide], t.vecs, n)
			o.k.values[t.vecs](&m[p.depth*p.width], &s[0], &values[j*strideV], &state[2*wide], strideV, n, o.D)
		}
		j = end
	}
	for i, t := range tiles {
		o.store(t, mem[i*p.size:], rows, b, h)
	}
	if o.Causal {
		for _, t := range tiles {
			o.repair(t, mem, values, strideV, b, h)
		}
	}
	if part == o.chunks-1 {
		o.oneByOne(mem, b, h, p.covered, o.LQ)
	}
}

// last returns the last query of the tile.
func (t tile) last(o *Op) int { return min(t.first+t.vecs*o.k.lanes, o.LQ) - 1 }

// visible returns how many kept keys query i of batch item b sees.
func (o *Op) visible(b, i int) int {
	n := o.limit(i)
	if o.KeyMask {
		return int(o.seen[b*(o.LK+1)+n])
	}
	return n
}

// operands returns where the head's keys and values lie.
func (o *Op) operands(b, h int) (keys []float32, strideK int, values []float32, strideV int) {
	if o.packed {
		n := o.LK * o.D
		at := (b*o.H + h) * 2 * n
		return o.ws[at:][:n], o.D, o.ws[at+n:][:n], o.D
	}
	return o.kk[b*o.BatchK+h*o.D:], o.StrideK, o.vv[b*o.BatchV+h*o.D:], o.StrideV
}

// load transposes and scales the queries of a tile and resets its state. m:
// queries [depth][lanes], results [depth][lanes], maximum, sum, correction.
func (o *Op) load(t tile, m, rows []float32, b, h int) {
	p, w := &o.tilePlan, o.k.lanes
	wide := t.vecs * w
	for v := range t.vecs {
		i := t.first + v*w
		src, stride := o.q[b*o.BatchQ+i*o.StrideQ+h*o.D:], o.StrideQ
		if n := o.LQ - i; n < w {
			for r := range n {
				copy(rows[r*o.D:][:o.D], src[r*stride:])
			}
			clear(rows[n*o.D : w*o.D])
			src, stride = rows, o.D
		}
		o.k.transpose(&m[v*w], &src[0], &p.scale[0], wide, stride, w*wide, w, o.D, 0)
	}
	clear(m[p.depth*p.width:][:p.depth*wide])
	state := m[2*p.depth*p.width:]
	for i := range state[:wide] {
		state[i] = lowest
	}
	clear(state[wide : 2*wide])
}

// store divides a tile's results by the sums and transposes them to dst.
func (o *Op) store(t tile, m, rows []float32, b, h int) {
	p, w := &o.tilePlan, o.k.lanes
	wide := t.vecs * w
	sums := m[2*p.depth*p.width+wide:][:wide]
	for i, l := range sums {
		if l != 0 {
			sums[i] = 1 / l
		}
	}
	for v := range t.vecs {
		i := t.first + v*w
		dst, stride := o.dst[b*o.BatchO+i*o.StrideO+h*o.D:], o.StrideO
		n := o.LQ - i
		if n < w {
			dst, stride = rows, o.D
		}
		o.k.transpose(&dst[0], &m[p.depth*p.width+v*w], &sums[v*w], stride, wide, w, w*wide, o.D, 1)
		if n < w {
			for r := range n {
				copy(o.dst[b*o.BatchO+(i+r)*o.StrideO+h*o.D:][:o.D], rows[r*o.D:])
			}
		}
	}
}

// hide sets the scores of the keys j..j+n that a query of the tile doesn't see
// to -Inf: of each key, those of the first queries.
func (o *Op) hide(s []float32, t tile, b, j, n int) {
	wide := t.vecs * o.k.lanes
	blind := 0
	for r := max(o.visible(b, t.first)-j, 0); r < n; r++ {
		for blind < wide && t.first+blind < o.LQ && o.visible(b, t.first+blind) <= j+r {
			blind++
		}
		row := s[r*wide:][:blind]
		for i := range row {
			row[i] = minusInf
		}
	}
}

// repair computes again, one by one, the queries of a tile that don't see a
// value that isn't finite but met it in their tile: 0·NaN is NaN. The check is
// a product of each such row with zeros.
func (o *Op) repair(t tile, mem, values []float32, strideV, b, h int) {
	j, end := o.visible(b, t.first), o.visible(b, t.last(o))
	bad := -1
	for j < end {
		n := min(end-j, o.block)
		o.k.dots(&mem[0], &o.zeros[0], &values[j*strideV], strideV, n, o.D)
		for r, x := range mem[:n] {
			if x != 0 {
				bad = j + r
			}
		}
		j += n
	}
	to := t.first
	for to <= t.last(o) && o.visible(b, to) <= bad {
		to++
	}
	o.oneByOne(mem, b, h, t.first, to)
}

// packKeys is how many keys one packing task copies, those of all heads: they
// are neighbours in memory.
const packKeys = 64

// packTask copies some kept keys and values to dense rows.
func (o *Op) packTask(_, task int) {
	parts := (o.lk + packKeys - 1) / packKeys
	b, from := task/parts, task%parts*packKeys
	to := from
	if o.KeyMask {
		to = int(o.seen[b*(o.LK+1)+from])
	}
	for j := from; j < min(from+packKeys, o.lk); j++ {
		if o.KeyMask && o.mask[b*o.LK+j] == 0 {
			continue
		}
		for h := range o.H {
			at := ((b*o.H+h)*2*o.LK + to) * o.D
			copy(o.ws[at:][:o.D], o.kk[b*o.BatchK+j*o.StrideK+h*o.D:])
			copy(o.ws[at+o.LK*o.D:][:o.D], o.vv[b*o.BatchV+j*o.StrideV+h*o.D:])
		}
		to++
	}
}

// countKept fills seen from the mask.
func (o *Op) countKept() {
	for b := range o.B {
		n, seen := int32(0), o.seen[b*(o.LK+1):]
		seen[0] = 0
		for j, keep := range o.mask[b*o.LK:][:o.lk] {
			if keep != 0 {
				n++
			}
			seen[j+1] = n
		}
	}
}
