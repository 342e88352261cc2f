package token

// merge is what a pair of symbols becomes, and how early that was learnt.
type merge struct {
	rank int32
	id   int32
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// symbol is a node of the doubly linked list of a word's symbols.
// A merged-away node has id -1.
type symbol struct {
	id         int32
	prev, next int32
}

// candidate is a pair that can be merged: order is rank first, then position.
type candidate struct {
	rank, pos   int32
	left, right int32 // the ids when it was pushed; it is stale when they changed
	id          int32
}

func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.pos < b.pos
}

// words collects ids; its buffers are reused from word to word.
type words struct {
	t    *Tokenizer
	out  []int32
	list []symbol
	heap []candidate
}

// special appends the id of a special token's name; other names append nothing.
func (w *words) special(name string) {
	switch name {
	case startOfText:
		w.out = append(w.out, w.t.sot)
	case endOfText:
		w.out = append(w.out, w.t.eot)
	}
}

// encode appends the ids of one word.
//
// The pair learnt first is merged first, leftmost among equals, until none is
// left. A heap keeps a word of n bytes at O(n log n); the published code scans
// the word for every merge, which takes hours for 10^6 letters without a space.
//
// Source: Sennrich et al. 2016 (arXiv 1508.07909), algorithm 1; byte symbols as
// in openai/CLIP clip/simple_tokenizer.py.
func (w *words) encode(word string) {
	n := len(word)
	if n == 0 {
		return
	}
	if cap(w.list) < n {
		w.list = make([]symbol, n+n/2)
	}
	list := w.list[:n]
	for i := range list {
		list[i] = symbol{id: w.t.byteID[word[i]], prev: int32(i) - 1, next: int32(i) + 1}
	}
	list[n-1].id = w.t.byteEnd[word[n-1]]
	list[n-1].next = -1
	w.heap = w.heap[:0]
	for i := 0; i+1 < n; i++ {
		w.push(list, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		l := &list[c.pos]
		if l.id != c.left || l.next < 0 || list[l.next].id != c.right {
			continue
		}
		r := &list[l.next]
		l.id, r.id = c.id, -1
		if l.next = r.next; r.next >= 0 {
			list[r.next].prev = c.pos
			w.push(list, c.pos)
		}
		if l.prev >= 0 {
			w.push(list, l.prev)
		}
	}
	for i := int32(0); i >= 0; i = list[i].next {
		w.out = append(w.out, list[i].id)
	}
}

// push offers the pair that starts at list[i], if it can be merged.
func (w *words) push(list []symbol, i int32) {
	left, right := list[i].id, list[list[i].next].id
	m, ok := w.t.merges[pairKey(left, right)]
	if !ok {
		return
	}
	h := append(w.heap, candidate{rank: m.rank, pos: i, left: left, right: right, id: m.id})
	k := len(h) - 1
	for k > 0 {
		up := (k - 1) / 2
		if !h[k].before(h[up]) {
			break
		}
		h[k], h[up] = h[up], h[k]
		k = up
	}
	w.heap = h
}

// pop takes the first candidate off a heap that has one.
func (w *words) pop() candidate {
	h := w.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for k := 0; ; {
		c := 2*k + 1
		if c >= last {
			break
		}
		if c+1 < last && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(h[k]) {
			break
		}
		h[k], h[c] = h[c], h[k]
		k = c
	}
	w.heap = h
	return top
}
