package overlap

// rougeBeta weighs recall over precision in ROUGE-L's F-measure.
// Source: pycocoevalcap 1.2, rouge/rouge.py.
const rougeBeta = 1.2

// ROUGEL returns ROUGE-L of picture i: the F-measure of the best precision and
// the best recall of the longest common subsequence, each over all references.
// An empty text counts as one empty word, so an empty prediction scores 1
// against an empty reference.
// Source: Lin 2004; pycocoevalcap 1.2, rouge/rouge.py.
func (c *Corpus) ROUGEL(i int, s *Scratch) float64 {
	hyp := c.hyps[i].rouge
	var prec, rec float64
	for j := range c.refs[i] {
		ref := c.refs[i][j].rouge
		n := float64(s.commonLen(hyp, ref))
		prec = max(prec, n/float64(len(hyp)))
		rec = max(rec, n/float64(len(ref)))
	}
	if prec == 0 || rec == 0 {
		return 0
	}
	const b2 = rougeBeta * rougeBeta
	return (1 + b2) * prec * rec / (rec + float64(b2*prec))
}

// commonLen is the length of the longest common subsequence of a and b.
func (s *Scratch) commonLen(a, b []uint32) int {
	if cap(s.lcs) < len(b)+1 {
		s.lcs = make([]int, len(b)+1)
	}
	row := s.lcs[:len(b)+1]
	clear(row)
	for _, x := range a {
		diag := 0
		for j, y := range b {
			up := row[j+1]
			switch {
			case x == y:
				row[j+1] = diag + 1
			case row[j] > up:
				row[j+1] = row[j]
			}
			diag = up
		}
	}
	return row[len(b)]
}
