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
//
// The order of operations is the official program's, found by trying orders
// until 2000 scores agreed to the last bit: of two references that score alike
// the last bit decides which one's counts enter the set's score.
func (s Stats) Score() float64 {
	p, r := weighted(&s.HypMatches)/s.Hyp.weighted(), weighted(&s.RefMatches)/s.Ref.weighted()
	if !(p > 0 && r > 0) {
		return 0
	}
	a := alpha // 1-a is rounded, unlike the constant 1-alpha
	f := 1 / (float64((1-a)/p) + float64(a/r))
	if s.perfect() {
		return f
	}
	frag := float64(s.Chunks) / (float64(s.HypMatched+s.RefMatched) / 2)
	return f * (1 - float64(gamma*fifthRoot(frag)))
}

func weighted(m *[stages]Count) float64 {
	sum := 0.0
	for k := range stages {
		sum += float64(weights[k] * delta * float64(m[k].Content))
	}
	for k := range stages {
		sum += float64(weights[k] * (1 - delta) * float64(m[k].Function))
	}
	return sum
}

// fifthRoot is x to the power beta, correctly rounded but for rare cases:
// math.Pow is a bit off for one caption in forty.
func fifthRoot(x float64) float64 {
	y := math.Pow(x, beta)
	// One Newton step with y^5 as the sum h+l of two numbers.
	h := float64(y * y)
	l := math.FMA(y, y, -h)
	h4 := float64(h * h)
	l = math.FMA(h, h, -h4) + float64(2*h*l)
	h5 := float64(h4 * y)
	l = math.FMA(h4, y, -h5) + float64(l*y)
	const excess = 1.1102230246251565e-17 // of the float64 0.2 over 1/5
	return y + (float64(((x-h5)-l)/(5*h4)) + float64(y*math.Log(x)*excess))
}

// rowLen is the number of counts in a Stats.
const rowLen = 4 + 4*int(stages) + 3

// Row lists s's counts; rows of several pictures may be summed.
func (s Stats) Row() []float64 {
	row := make([]float64, 0, rowLen)
	put := func(c Count) { row = append(row, float64(c.Content), float64(c.Function)) }
	put(s.Hyp)
	put(s.Ref)
	for k := range stages {
		put(s.HypMatches[k])
		put(s.RefMatches[k])
	}
	return append(row, float64(s.Chunks), float64(s.HypMatched), float64(s.RefMatched))
}

// FromRow is the inverse of Row.
func FromRow(row []float64) Stats {
	var s Stats
	take := func() int {
		v := int(row[0])
		row = row[1:]
		return v
	}
	count := func() Count { return Count{take(), take()} }
	s.Hyp, s.Ref = count(), count()
	for k := range stages {
		s.HypMatches[k], s.RefMatches[k] = count(), count()
	}
	s.Chunks, s.HypMatched, s.RefMatched = take(), take(), take()
	return s
}
