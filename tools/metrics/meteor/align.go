package meteor

import "slices"

// beam is the number of partial alignments kept at each word.
// Source: the official program's default (-x).
const beam = 40

// Aligner finds the best alignment of two texts of a Corpus; it holds scratch
// memory for one goroutine.
type Aligner struct {
	c        *Corpus
	at       [][]match // the matches by their start in the reference
	covered1 []int32   // how many matches touch each word of the prediction
	covered2 []int32   // and of the reference
	head     []int32   // see collectParaphrases
	tail     []int32

	paths, next []path
	bits, nbits []uint64 // used words of the prediction, stride words a path
	stride      int
	steps       []step
	found       []match // the last alignment, from the texts' ends
}

// path is a partial alignment.
type path struct {
	value    int32 // see value
	chunks   int32 // closed runs
	distance int32
	end1     int32 // where the open run ends in the prediction, -1 for none
	free     int32 // first word of the reference after the last match
	last     int32 // index of its last match in steps, -1 for none
	used     int32 // index of its bits
}

// step is a match and the index of the one before it in the same path.
type step struct {
	m    match
	prev int32
}

// NewAligner returns an Aligner for c.
func (c *Corpus) NewAligner() *Aligner { return &Aligner{c: c} }

// compare orders paths best first: more words covered, then fewer chunks, then
// less distance.
// Source: Denkowski and Lavie 2011, section 2.1.
func compare(x, y path) int {
	switch {
	case x.value != y.value:
		return int(y.value - x.value)
	case x.chunks != y.chunks:
		return int(x.chunks - y.chunks)
	}
	return int(x.distance - y.distance)
}

// value is what n matched words count for in the search. A lone stem, synonym
// or paraphrase counts nothing: it is only taken where it joins a run, or where
// nothing contests it. The official program does so whatever weights the score
// uses (observed: -w changes no alignment).
func value(st Stage, n int32) int32 {
	if st == Exact {
		return n
	}
	return n / 2
}

// Align returns the statistics of the best alignment of text hyp, the
// prediction, with text ref, a reference.
func (a *Aligner) Align(hyp, ref int) Stats {
	h, r := &a.c.texts[hyp], &a.c.texts[ref]
	a.collect(h, r)
	best := a.search(len(h.words), len(r.words))
	a.found = a.found[:0]
	for k := best.last; k >= 0; k = a.steps[k].prev {
		a.found = append(a.found, a.steps[k].m)
	}
	s := Stats{Hyp: h.size, Ref: r.size}
	var next match
	for _, m := range a.found {
		a.count(&s.HypMatches[m.stage], h.words[m.s1:m.s1+m.n1])
		a.count(&s.RefMatches[m.stage], r.words[m.s2:m.s2+m.n2])
		s.HypMatched += int(m.n1)
		s.RefMatched += int(m.n2)
		if s.Chunks == 0 || m.s1+m.n1 != next.s1 || m.s2+m.n2 != next.s2 {
			s.Chunks++
		}
		next = m
	}
	return s
}

// Best returns the statistics of text hyp against the one of the n texts that
// follow it that scores highest, the first of equals.
func (a *Aligner) Best(hyp, n int) Stats {
	best, score := Stats{}, -1.0
	for r := hyp + 1; r <= hyp+n; r++ {
		if s := a.Align(hyp, r); s.Score() > score {
			best, score = s, s.Score()
		}
	}
	return best
}

func (a *Aligner) count(c *Count, words []uint32) {
	for _, w := range words {
		if a.c.vocab[w].function {
			c.Function++
		} else {
			c.Content++
		}
	}
}

// search walks the reference's words. A match that no other touches is taken
// by every path; else each path branches into its matches and leaving the word
// open. A run is counted when it is broken, so two ways that end alike can
// differ for a while in what the beam thinks of them.
func (a *Aligner) search(n1, n2 int) path {
	a.cover(n1, n2)
	a.stride = (n1 + 63) / 64
	a.steps = a.steps[:0]
	a.paths = append(a.paths[:0], path{last: -1, end1: -1})
	a.bits = append(a.bits[:0], make([]uint64, a.stride)...)
	for j := range n2 {
		a.next, a.nbits = a.next[:0], a.nbits[:0]
		for i := range a.paths {
			a.advance(a.paths[i], j)
		}
		slices.SortStableFunc(a.next, compare)
		a.paths, a.next = a.next[:min(len(a.next), beam)], a.paths
		a.bits, a.nbits = a.nbits, a.bits
	}
	for i := range a.paths {
		if a.paths[i].end1 >= 0 {
			a.paths[i].chunks++
		}
	}
	return slices.MinFunc(a.paths, compare)
}

// advance appends to next what becomes of p at word j of the reference.
func (a *Aligner) advance(p path, j int) {
	bits := a.bits[int(p.used)*a.stride:][:a.stride]
	if int(p.free) > j {
		a.push(p, bits)
		return
	}
	at := a.at[j]
	if len(at) == 1 && a.alone(at[0]) {
		p.distance += at[0].distance()
		a.take(p, at[0], bits)
		return
	}
	for _, m := range at {
		if overlaps(bits, m) {
			continue
		}
		a.take(p, m, bits)
		// The distance is charged to the paths made after this one, not to
		// this one: the published rule is otherwise, but only so do all of
		// 6000 generated alignments come out as the official program's.
		p.distance += m.distance()
	}
	if p.end1 >= 0 {
		p.chunks++
		p.end1 = -1
	}
	a.push(p, bits)
}

func (m match) distance() int32 { return max(m.s1-m.s2, m.s2-m.s1) }

func (a *Aligner) push(p path, bits []uint64) {
	p.used = int32(len(a.next))
	a.next = append(a.next, p)
	a.nbits = append(a.nbits, bits...)
}

// take appends p with m to next.
func (a *Aligner) take(p path, m match, bits []uint64) {
	if p.end1 >= 0 && m.s1 != p.end1 {
		p.chunks++
	}
	p.value += value(m.stage, m.n1) + value(m.stage, m.n2)
	p.end1, p.free = m.s1+m.n1, m.s2+m.n2
	a.steps = append(a.steps, step{m, p.last})
	p.last = int32(len(a.steps) - 1)
	a.push(p, bits)
	own := a.nbits[len(a.nbits)-a.stride:]
	for i := m.s1; i < m.s1+m.n1; i++ {
		own[i>>6] |= 1 << (i & 63)
	}
}

func overlaps(bits []uint64, m match) bool {
	for i := m.s1; i < m.s1+m.n1; i++ {
		if bits[i>>6]>>(i&63)&1 != 0 {
			return true
		}
	}
	return false
}

// cover counts the matches that touch each word.
func (a *Aligner) cover(n1, n2 int) {
	a.covered1 = append(a.covered1[:0], make([]int32, n1)...)
	a.covered2 = append(a.covered2[:0], make([]int32, n2)...)
	for j := range n2 {
		for _, m := range a.at[j] {
			for i := m.s1; i < m.s1+m.n1; i++ {
				a.covered1[i]++
			}
			for i := m.s2; i < m.s2+m.n2; i++ {
				a.covered2[i]++
			}
		}
	}
}

// alone says whether no other match touches m's words.
func (a *Aligner) alone(m match) bool {
	for i := m.s1; i < m.s1+m.n1; i++ {
		if a.covered1[i] != 1 {
			return false
		}
	}
	for j := m.s2; j < m.s2+m.n2; j++ {
		if a.covered2[j] != 1 {
			return false
		}
	}
	return true
}
