package attn

// rowWork bounds one assembly call of the row road, in floats of K or V read:
// 256 KiB, about 10 µs from the last-level cache.
const rowWork = 1 << 16

// rowQueries is how many queries of a head make one task of the row road.
const rowQueries = 16

// planRows splits the work for the row road: tasks of at least about 16k
// multiply-adds, so that a step with a short cache isn't spent on handing out.
func (o *Op) planRows() {
	o.chunk = min(o.LQ, rowQueries)
	o.chunks = (o.LQ + o.chunk - 1) / o.chunk
	o.group = max(1, 16384/(o.chunk*o.LK*o.D))
	o.tasks = (o.B*o.H*o.chunks + o.group - 1) / o.group
	o.task = o.rowTask
}

func (o *Op) rowTask(worker, task int) {
	s := o.pool.Scratch(worker)
	for u := task * o.group; u < min((task+1)*o.group, o.B*o.H*o.chunks); u++ {
		head := u / o.chunks
		b, h := head/o.H, head%o.H
		first := u % o.chunks * o.chunk
		o.oneByOne(s, b, h, first, min(first+o.chunk, o.LQ))
	}
}

// oneByOne attends with the queries [from,to) of a head on the row road; s is
// scratch.
func (o *Op) oneByOne(s []float32, b, h, from, to int) {
	for i := from; i < to; i++ {
		o.row(o.dst[b*o.BatchO+i*o.StrideO+h*o.D:][:o.D], s, b, h, i)
	}
}

// row attends with one query: out [D].
func (o *Op) row(out, s []float32, b, h, i int) {
	o.scores(s, b, h, i)
	clear(out)
	values := o.vv[b*o.BatchV+h*o.D:]
	step := max(1, rowWork/o.D)
	for j, end := o.run(b, 0, i); j < end; j, end = o.run(b, end, i) {
		for ; j < end; j += step {
			o.k.accum(&out[0], &s[j], &values[j*o.StrideV], o.StrideV, min(step, end-j), o.D)
		}
	}
}

// scores writes the query's weights to s: 0 for the dropped keys below its
// limit.
func (o *Op) scores(s []float32, b, h, i int) {
	n := o.limit(i)
	if n == 0 {
		return
	}
	if o.KeyMask {
		for j := range s[:n] {
			s[j] = o.none
		}
	}
	q := &o.q[b*o.BatchQ+i*o.StrideQ+h*o.D:][:o.D][0]
	keys := o.kk[b*o.BatchK+h*o.D:]
	step := max(1, rowWork/o.D)
	for j, end := o.run(b, 0, i); j < end; j, end = o.run(b, end, i) {
		for ; j < end; j += step {
			o.k.dots(&s[j], q, &keys[j*o.StrideK], o.StrideK, min(step, end-j), o.D)
		}
	}
	vecs := (n + o.k.lanes - 1) / o.k.lanes
	for j := n; j < vecs*o.k.lanes; j++ {
		s[j] = o.none
	}
	o.k.softmax(&s[0], vecs, o.c)
}

// run returns the next run [first,end) of kept keys at or after j that query i
// sees; first = end when there is none.
func (o *Op) run(b, j, i int) (first, end int) {
	n := o.limit(i)
	if !o.KeyMask {
		return j, n
	}
	keep := o.mask[b*o.LK:][:n]
	for first = j; first < n && keep[first] == 0; first++ {
	}
	for end = first; end < n && keep[end] != 0; end++ {
	}
	return first, end
}

// Weights writes the attention weights themselves, [B,H,LQ,lk]: for showing
// where a model looks, not for speed. Arguments as for Run.
//
// Allocs: none.
func (o *Op) Weights(dst, q, k, mask []float32, lk int) {
	if need := o.B * o.H * o.LQ * lk; len(dst) < need {
		panic("attn: weights need B·H·LQ·lk floats")
	}
	o.set(q, k, mask, lk)
	s := o.pool.Scratch(0)
	for r := range o.B * o.H * o.LQ {
		i, head := r%o.LQ, r/o.LQ
		row := dst[r*lk:][:lk]
		o.scores(s, head/o.H, head%o.H, i)
		clear(row[copy(row, s[:o.limit(i)]):])
	}
}
