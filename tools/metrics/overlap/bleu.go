package overlap

import "math"

// BLEUStats are the sums BLEU is made of; those of several pictures add up to
// the statistics of the set.
// Units: words; index k stands for n-grams of k+1 words.
type BLEUStats struct {
	Correct, Guess  [maxN]int
	TestLen, RefLen int
}

// Add adds o to s.
func (s *BLEUStats) Add(o BLEUStats) {
	for k := range maxN {
		s.Correct[k] += o.Correct[k]
		s.Guess[k] += o.Guess[k]
	}
	s.TestLen += o.TestLen
	s.RefLen += o.RefLen
}

// Score returns BLEU-1..4. A prediction without one correct n-gram scores nearly
// 0, not 0: the toolkit's constants are kept.
// Source: Papineni et al. 2002; constants and the order of operations:
// pycocoevalcap 1.2, bleu/bleu_scorer.py (small = 1e-9, tiny = 1e-15).
func (s BLEUStats) Score() [maxN]float64 {
	const small, tiny = 1e-9, 1e-15
	var out [maxN]float64
	bleu := 1.0
	for k := range maxN {
		bleu *= (float64(s.Correct[k]) + tiny) / (float64(s.Guess[k]) + small)
		out[k] = math.Pow(bleu, 1/float64(k+1))
	}
	ratio := (float64(s.TestLen) + tiny) / (float64(s.RefLen) + small)
	if ratio < 1 {
		for k := range maxN {
			out[k] *= math.Exp(1 - 1/ratio)
		}
	}
	return out
}

// BLEU counts picture i: each n-gram of the prediction is correct as often as
// the reference holding it most; RefLen is the length of the reference closest
// to the prediction's, the shorter of two equally close.
func (c *Corpus) BLEU(i int, s *Scratch) BLEUStats {
	hyp, refs := &c.hyps[i], c.refs[i]
	st := BLEUStats{TestLen: hyp.words}
	best := -1
	for j := range refs {
		d := refs[j].words - hyp.words
		if d < 0 {
			d = -d
		}
		if best < 0 || d < best || d == best && refs[j].words < st.RefLen {
			best, st.RefLen = d, refs[j].words
		}
	}
	for k := range maxN {
		st.Guess[k] = max(0, hyp.words-k)
		for j := range refs {
			for _, g := range refs[j].grams[k] {
				s.count[g]++
				s.max[g] = max(s.max[g], s.count[g])
			}
			for _, g := range refs[j].grams[k] {
				s.count[g] = 0
			}
		}
		for _, g := range hyp.grams[k] {
			if s.max[g] > 0 {
				s.max[g]--
				st.Correct[k]++
			}
		}
		for j := range refs {
			for _, g := range refs[j].grams[k] {
				s.max[g] = 0
			}
		}
	}
	return st
}
