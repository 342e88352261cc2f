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
			logits, lse := r.row(i)
			token := draw(logits, o, draws[i].Float64())
			seq := &out[i][0]
			seq.Tokens = append(seq.Tokens, int32(token))
			seq.Score += float64(logits[token]) - lse
			ids[i] = int32(token)
			if over[i] = token == o.EOS; !over[i] {
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

// draw picks a token: u in [0,1) is the position in the cumulative probability
// of the allowed tokens, likeliest first.
func draw(logits []float32, o Options, u float64) int {
	var order []int
	if o.TopK > 0 && o.TopK < len(logits) {
		order = topK(logits, o.TopK)
	} else {
		order = sorted(logits)
	}
	top := float64(logits[order[0]])
	p := make([]float64, len(order))
	sum := 0.0
	for i, t := range order {
		p[i] = math.Exp((float64(logits[t]) - top) / o.Temperature)
		sum += p[i]
	}
	if o.TopP > 0 && o.TopP < 1 {
		kept := 0.0
		for i := range p {
			if kept += p[i]; kept >= o.TopP*sum {
				p, sum = p[:i+1], kept
				break
			}
		}
	}
	u *= sum
	for i := range p {
		if u -= p[i]; u < 0 {
			return order[i]
		}
	}
	return order[len(p)-1]
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
