package meteor

import "math"

// The parameters of English ranking.
// Source: Denkowski and Lavie 2014, Table 3 (English); the official program
// prints them with its results.
const (
	alpha = 0.85
	beta  = 0.20
	gamma = 0.60
	delta = 0.75
)

var weights = [stages]float64{Exact: 1.0, Stem: 0.6, Synonym: 0.8, Paraphrase: 0.6}

// Count splits a number of words by kind.
type Count struct{ Content, Function int }

func (c *Count) add(o Count) {
	c.Content += o.Content
	c.Function += o.Function
}

func (c Count) weighted() float64 {
	return float64(delta*float64(c.Content)) + float64((1-delta)*float64(c.Function))
}

// Stats is what a METEOR score is made of. Those of several pictures add up to
// the statistics of the set.
// Units: words; Chunks counts runs matched in the same order in both texts.
type Stats struct {
	Hyp, Ref               Count
	HypMatches, RefMatches [stages]Count
	Chunks                 int
	HypMatched, RefMatched int
}

// perfect says whether every word of both texts matches in one run.
func (s Stats) perfect() bool {
	return s.Chunks <= 1 && s.HypMatched == s.Hyp.Content+s.Hyp.Function && s.RefMatched == s.Ref.Content+s.Ref.Function
}

// Add adds a picture's statistics to s. A perfect match adds no chunk, as in
// the official program, where a corpus of perfect matches scores 1.
func (s *Stats) Add(o Stats) {
	s.Hyp.add(o.Hyp)
	s.Ref.add(o.Ref)
	for k := range stages {
		s.HypMatches[k].add(o.HypMatches[k])
		s.RefMatches[k].add(o.RefMatches[k])
	}
	if !o.perfect() {
		s.Chunks += o.Chunks
	}
	s.HypMatched += o.HypMatched
	s.RefMatched += o.RefMatched
}

// Score is the F-mean of weighted precision and recall less the penalty for
// broken order. Range: 0 to 1.
func (s Stats) Score() float64 {
	var p, r float64
	for k := range stages {
		p += weights[k] * s.HypMatches[k].weighted()
		r += weights[k] * s.RefMatches[k].weighted()
	}
	if p == 0 || r == 0 {
		return 0
	}
	p /= s.Hyp.weighted()
	r /= s.Ref.weighted()
	f := p * r / (float64(alpha*p) + float64((1-alpha)*r))
	if s.perfect() {
		return f
	}
	frag := float64(s.Chunks) / (float64(s.HypMatched+s.RefMatched) / 2)
	return f * (1 - gamma*math.Pow(frag, beta))
}
