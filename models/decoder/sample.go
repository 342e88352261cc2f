package decoder

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// sample draws each text with a generator of its own, seeded by Options.Seed
// alone, so that a text depends neither on the others nor on its place.
func (m *Model) sample(ctx context.Context, s *session, prefix []float32, n int, o Options) ([][]Sequence, error) {
	if o.open(m.cfg.Vocab) {
		inverse := float32(1 / o.Temperature)
		s.first.F32("inverse temperature")[0], s.next.F32("inverse temperature")[0] = inverse, inverse
	}
	if err := s.start(ctx, prefix); err != nil {
		return nil, err
	}
	out := make([][]Sequence, n)
	draws := make([]*rand.Rand, n)
	ids, from := make([]int32, n), make([]int32, n)
	for i := range out {
		out[i] = []Sequence{{}}
		draws[i] = rand.New(rand.NewPCG(o.Seed, 0))
		from[i] = int32(i)
	}
	over := make([]bool, n)
	for t := 1; ; t++ {
		open := 0
		r := rowsOf(s)
		for i := range out {
			if over[i] {
				continue
			}
			token, logit, err := m.drawRow(ctx, s, r, i, o, draws[i].Float64())
			if err != nil {
				return nil, err
			}
			_, _, lse := r.row(i)
			seq := &out[i][0]
			seq.Tokens = append(seq.Tokens, token)
			seq.Score += float64(logit) - lse
			ids[i] = token
			if over[i] = int(token) == o.EOS; !over[i] {
				open++
			}
		}
		if open == 0 || t == o.Max {
			return out, nil
		}
		if err := s.step(ctx, ids, from); err != nil {
			return nil, err
		}
	}
}

// drawRow picks row i's token. Where the candidates leave open which it is, it is drawn from
// all logits.
func (m *Model) drawRow(ctx context.Context, s *session, r rows, i int, o Options, u float64) (token int32, logit float32, err error) {
	tokens, logits, _ := r.row(i)
	p, low := exponentials(logits, o.Temperature)
	high, open := low, o.open(m.cfg.Vocab)
	switch {
	case open && 0 < o.TopK && o.TopK < m.cfg.Vocab:
		low, high = 0, math.Inf(1) // nothing is known of what a longer list sums to
	case open:
		tempered := s.last.F32("normalizer at temperature")
		low, high = around(float64(tempered[2*i+1]), float64(tempered[2*i]), m.cfg.Vocab)
	}
	if at := pick(p, open, low, high, o, u); at >= 0 {
		return tokens[at], logits[at], nil
	}
	if logits, err = m.rowLogits(ctx, s, i); err != nil {
		return 0, 0, err
	}
	at := draw(logits, o, u)
	return int32(at), logits[at], nil
}

// around bounds the sum of exp((x-max)/T) over a row of so many tokens, given what a
// device makes of it and max/T. Devices round x/T to the last place of numbers up to
// max/T and add up to 1/256 of the terms in turn; the rounding of exponentials and
// differences, weighted by the terms, stays below 128 units.
func around(sum, top float64, vocab int) (low, high float64) {
	e := (2*math.Abs(top) + float64(vocab)/256 + 128) * 0x1p-24
	return sum * (1 - e), sum * (1 + e)
}

// draw picks a token of a whole row.
func draw(logits []float32, o Options, u float64) int {
	order := sorted(logits)
	if o.TopK > 0 && o.TopK < len(order) {
		order = order[:o.TopK]
	}
	ranked := make([]float32, len(order))
	for i, t := range order {
		ranked[i] = logits[t]
	}
	p, sum := exponentials(ranked, o.Temperature)
	return order[pick(p, false, sum, sum, o, u)]
}

// exponentials returns exp((x-x[0])/t) and their sum.
func exponentials(x []float32, t float64) (p []float64, sum float64) {
	p = make([]float64, len(x))
	for i, v := range x {
		p[i] = math.Exp((float64(v) - float64(x[0])) / t)
		sum += p[i]
	}
	return p, sum
}

// pick returns a token's place, given p of the likeliest tokens, in order: u in [0,1) is
// the position in the cumulative probability of the allowed tokens. With rest there are
// others, unlikelier; low and high bound the sum over all. It is the place that the p of
// all tokens would give, or -1 where it depends on more than these and the bounds.
func pick(p []float64, rest bool, low, high float64, o Options, u float64) int {
	if o.TopP > 0 && o.TopP < 1 {
		n, kept := nucleus(p, o.TopP*low)
		if most, _ := nucleus(p, o.TopP*high); rest && (n > len(p) || n != most) {
			return -1
		}
		if n <= len(p) {
			p, rest, low, high = p[:n], false, kept, kept
		}
	}
	at := fall(p, u*low)
	if rest && (at == len(p) || at != fall(p, u*high)) {
		return -1
	}
	return min(at, len(p)-1)
}

// nucleus returns how many of p sum to least or more, and their sum; one more than there
// are where all don't.
func nucleus(p []float64, least float64) (n int, sum float64) {
	for i, v := range p {
		if sum += v; sum >= least {
			return i + 1, sum
		}
	}
	return len(p) + 1, sum
}

// fall returns which of p, laid end to end, holds the position u; how many there are
// where none does.
func fall(p []float64, u float64) int {
	for i, v := range p {
		if u -= v; u < 0 {
			return i
		}
	}
	return len(p)
}

// sorted returns all indices, the largest value first.
func sorted(x []float32) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] > x[b]:
			return -1
		case x[a] < x[b]:
			return 1
		}
		return 0
	})
	return order
}
