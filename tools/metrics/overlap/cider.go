package overlap

import "math"

// ciderSigma is the width of the length penalty of CIDEr-D, in words.
// Source: Vedantam et al. 2015, section 6; pycocoevalcap 1.2, cider/cider.py.
const ciderSigma = 6.0

// Variant selects one of the two CIDEr formulas.
type Variant int

const (
	// CIDErD clips counts at the reference's and penalises a difference of
	// length. This is the number pycocoevalcap prints as "CIDEr".
	CIDErD Variant = iota
	// CIDErPlain is the mean cosine of Vedantam et al. 2015, Eq. 1-3, without
	// clipping, penalty or stemming, times 10 to be on CIDEr-D's scale.
	CIDErPlain
)

// countDocuments fills idf from the references; an n-gram in none of them
// counts as being in one.
func (c *Corpus) countDocuments() {
	df := make([]float64, c.nodes)
	last := make([]int32, c.nodes) // 1 + the picture counted last
	for i, refs := range c.refs {
		for j := range refs {
			for _, grams := range refs[j].grams {
				for _, g := range grams {
					if last[g] != int32(i+1) {
						last[g] = int32(i + 1)
						df[g]++
					}
				}
			}
		}
	}
	logN := math.Log(float64(len(c.refs)))
	for g := range df {
		df[g] = logN - math.Log(max(1, df[g]))
	}
	c.idf = df
}

// term is one distinct n-gram of a text with its tf-idf weight.
type term struct {
	node   uint32
	weight float64
}

// vector appends t's distinct n-grams of order n+1, in order of appearance, to
// terms, and leaves their counts in s.count; the caller clears them.
func (c *Corpus) vector(terms []term, t *text, n int, s *Scratch) (_ []term, norm float64) {
	grams := t.grams[n]
	for _, g := range grams {
		if s.count[g] == 0 {
			terms = append(terms, term{node: g})
		}
		s.count[g]++
	}
	for k := range terms {
		v := &terms[k]
		v.weight = float64(s.count[v.node]) * c.idf[v.node]
		norm += float64(v.weight * v.weight)
	}
	return terms, math.Sqrt(norm)
}

func clearCounts(terms []term, s *Scratch) {
	for _, v := range terms {
		s.count[v.node] = 0
	}
}

// CIDEr returns picture i's score: the mean over n = 1..4 and over the
// references of the cosine of tf-idf vectors, times 10. With a single picture
// every idf is log 1 = 0 and so is the score.
// Source: Vedantam et al. 2015; order of operations: pycocoevalcap 1.2,
// cider/cider_scorer.py (its text length is the number of bigrams).
func (c *Corpus) CIDEr(i int, variant Variant, s *Scratch) float64 {
	hyp, refs := &c.hyps[i], c.refs[i]
	var score [maxN]float64
	var hb, rb [64]term
	for n := range maxN {
		ht, hnorm := c.vector(hb[:0], hyp, n, s)
		clearCounts(ht, s)
		for j := range refs {
			ref := &refs[j]
			rt, rnorm := c.vector(rb[:0], ref, n, s)
			val := 0.0
			for _, h := range ht {
				r := float64(s.count[h.node]) * c.idf[h.node]
				if variant == CIDErD {
					val += float64(min(h.weight, r) * r)
				} else {
					val += float64(h.weight * r)
				}
			}
			clearCounts(rt, s)
			if hnorm != 0 && rnorm != 0 {
				val /= hnorm * rnorm
			}
			if variant == CIDErD {
				d := float64(len(hyp.grams[1]) - len(ref.grams[1]))
				val *= math.Pow(math.E, -(d*d)/(2*ciderSigma*ciderSigma))
			}
			score[n] += val
		}
	}
	mean := (score[0] + score[1] + score[2] + score[3]) / maxN
	return mean / float64(len(refs)) * 10
}
