package meteor

// match says that words [s1, s1+n1) of the prediction match words [s2, s2+n2)
// of the reference.
type match struct {
	s1, n1, s2, n2 int32
	stage          Stage
}

// collect lists all matches of texts hyp and ref by their start in ref, in the
// order the official program finds them, which decides ties: stage by stage.
// Equal words match exactly and in no other stage.
func (a *Aligner) collect(hyp, ref *sentence) {
	a.reset(len(ref.words))
	for st := Exact; st < Paraphrase; st++ {
		for j, w2 := range ref.words {
			for i, w1 := range hyp.words {
				if a.c.matches(st, w1, w2) {
					a.at[j] = append(a.at[j], match{int32(i), 1, int32(j), 1, st})
				}
			}
		}
	}
	a.collectParaphrases(hyp, ref)
}

// matches says whether two words match in a single-word stage.
func (c *Corpus) matches(st Stage, w1, w2 uint32) bool {
	if st == Exact || w1 == w2 {
		return st == Exact && w1 == w2
	}
	v1, v2 := &c.vocab[w1], &c.vocab[w2]
	if st == Stem {
		return v1.stem == v2.stem
	}
	return shareSynset(v1.synsets, v2.synsets)
}

// reset empties the lists of n2 reference words.
func (a *Aligner) reset(n2 int) {
	for len(a.at) < n2 {
		a.at = append(a.at, nil)
	}
	for j := range n2 {
		a.at[j] = a.at[j][:0]
	}
}

// collectParaphrases looks first for paraphrases of the reference's phrases in
// the prediction, then the other way round; a pair the table holds both ways
// gives two matches, which the search takes for contested.
func (a *Aligner) collectParaphrases(hyp, ref *sentence) {
	if len(hyp.phrases) == 0 || len(ref.phrases) == 0 {
		return
	}
	a.lookUp(ref.phrases, hyp.phrases, func(q, p phrase) {
		a.at[q.start] = append(a.at[q.start], match{p.start, p.n, q.start, q.n, Paraphrase})
	})
	a.lookUp(hyp.phrases, ref.phrases, func(p, q phrase) {
		a.at[q.start] = append(a.at[q.start], match{p.start, p.n, q.start, q.n, Paraphrase})
	})
}

// lookUp calls found for each phrase of from and each of its paraphrases in in.
func (a *Aligner) lookUp(from, in []phrase, found func(key, paraphrase phrase)) {
	near := &a.c.near
	if a.head == nil {
		a.head = make([]int32, len(near.known))
	}
	// head[node] is 1 + the first phrase of in with that node, chained by tail.
	a.tail = append(a.tail[:0], make([]int32, len(in))...)
	for k := len(in) - 1; k >= 0; k-- {
		a.tail[k] = a.head[in[k].node]
		a.head[in[k].node] = int32(k + 1)
	}
	for _, key := range from {
		for _, node := range near.of(key.node) {
			for k := a.head[node]; k != 0; k = a.tail[k-1] {
				found(key, in[k-1])
			}
		}
	}
	for _, p := range in {
		a.head[p.node] = 0
	}
}
