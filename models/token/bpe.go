package token

// merge says that two neighbouring symbols become one.
type merge struct{ left, right, id int32 }

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// symbol is a node of the doubly linked list of a word's symbols.
// A merged-away node has id -1.
type symbol struct {
	id         int32
	prev, next int32
}

// words collects ids; its buffers are reused from word to word.
type words struct {
	t    *Tokenizer
	out  []int32
	list []symbol
	// heap holds the pairs that can be merged: rank<<32 | position of the left
	// symbol, so that the order of integers is the order of merging. A pair
	// whose symbols have changed since is stale.
	heap []uint64
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
		top := w.pop()
		m, at := &w.t.merges[top>>32], int32(uint32(top))
		l := &list[at]
		if l.id != m.left || l.next < 0 || list[l.next].id != m.right {
			continue
		}
		r := &list[l.next]
		l.id, r.id = m.id, -1
		if l.next = r.next; r.next >= 0 {
			list[r.next].prev = at
			w.push(list, at)
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
	rank, ok := w.t.ranks[pairKey(list[i].id, list[list[i].next].id)]
	if !ok {
		return
	}
	h := append(w.heap, uint64(rank)<<32|uint64(i))
	k := len(h) - 1
	for k > 0 {
		up := (k - 1) / 2
		if h[k] >= h[up] {
			break
		}
		h[k], h[up] = h[up], h[k]
		k = up
	}
	w.heap = h
}

// pop takes the first candidate off a heap that has one.
func (w *words) pop() uint64 {
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
		if c+1 < last && h[c+1] < h[c] {
			c++
		}
		if h[c] >= h[k] {
			break
		}
		h[k], h[c] = h[c], h[k]
		k = c
	}
	w.heap = h
	return top
}
