package decoder

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// Rank says how a beam search compares texts.
type Rank uint8

const (
	// Mean ranks all texts, finished or not, by the mean log-probability of
	// their tokens; a finished text keeps its place with its score frozen.
	Mean Rank = iota
	// Finished collects finished texts, with their log-probability divided by
	// length^Alpha, until there are as many as beams; where no text ends, at
	// alpha 0, it equals transformers' generate with length_penalty 0.
	Finished
)

// candidate is a text one token longer.
type candidate struct {
	beam  int
	token int32
	score float64 // the sum of log-probabilities
	rank  float64 // what candidates are sorted by
}

// search is one picture's beam search.
type search struct {
	o     Options
	beams []beam
	done  []Sequence // Finished: complete texts
}

type beam struct {
	tokens []int32
	score  float64
	over   bool // Mean: the end mark was reached
}

func (m *Model) beams(ctx context.Context, s *session, prefix []float32, n, p int, o Options) ([][]Sequence, error) {
	o.Beams = max(o.Beams, 1)
	k, per := o.Beams, p*m.cfg.Width
	all := make([]float32, 0, n*k*per)
	searches := make([]*search, n)
	for i := range n {
		searches[i] = &search{o: o, beams: []beam{{}}}
		for range k {
			all = append(all, prefix[i*per:(i+1)*per]...)
		}
	}
	if err := s.start(ctx, all); err != nil {
		return nil, err
	}
	ids, from := make([]int32, n*k), make([]int32, n*k)
	for t := 1; ; t++ {
		open := 0
		rows := rowsOf(s)
		for i, q := range searches {
			if !q.finished() {
				q.advance(rows, i*k, ids, from)
			}
			if !q.finished() {
				open++
			}
		}
		if open == 0 || t == o.Max {
			break
		}
		if err := s.step(ctx, ids, from); err != nil {
			return nil, err
		}
	}
	out := make([][]Sequence, n)
	for i, q := range searches {
		out[i] = q.result()
	}
	return out, nil
}

// rows are the candidates that a step gave, the likeliest first.
type rows struct {
	tokens             []int32
	logits, normalizer []float32
	per                int
}

func rowsOf(s *session) rows {
	return rows{s.last.I32("tokens"), s.last.F32("logits"), s.last.F32("normalizer"), s.last.Shape("tokens")[1]}
}

// row returns a row's candidates, their logits and the log of the whole vocabulary's
// normaliser. Log-probabilities are taken in float64: near-ties of beams differ in the
// sixth digit.
func (r rows) row(i int) (tokens []int32, logits []float32, lse float64) {
	lo, hi := i*r.per, (i+1)*r.per
	return r.tokens[lo:hi], r.logits[lo:hi], float64(r.normalizer[2*i]) + math.Log(float64(r.normalizer[2*i+1]))
}

// finished reports whether the search has all it wants.
func (q *search) finished() bool {
	if q.o.Rank == Finished {
		return len(q.done) >= q.o.Beams || len(q.beams) == 0
	}
	for _, b := range q.beams {
		if !b.over {
			return false
		}
	}
	return true
}

// advance reads the step's rows from base on, one per beam, and writes each
// beam's next token and the row whose cache it continues.
func (q *search) advance(r rows, base int, ids, from []int32) {
	k := q.o.Beams
	var all []candidate
	for i, b := range q.beams {
		if b.over {
			all = append(all, candidate{i, int32(q.o.EOS), b.score, b.score / float64(len(b.tokens))})
			continue
		}
		tokens, logits, lse := r.row(base + i)
		for j, t := range tokens {
			c := candidate{beam: i, token: t, score: b.score + float64(logits[j]) - lse}
			c.rank = c.score
			if q.o.Rank == Mean {
				c.rank /= float64(len(b.tokens) + 1)
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.beam, b.beam), cmp.Compare(a.token, b.token))
	})
	all = all[:min(len(all), 2*k)]
	old := q.beams
	q.beams = nil
	for _, c := range all {
		b := beam{old[c.beam].tokens, c.score, old[c.beam].over}
		if !b.over {
			b.tokens = append(slices.Clone(b.tokens), c.token)
			b.over = int(c.token) == q.o.EOS
		}
		if b.over && q.o.Rank == Finished {
			q.done = append(q.done, Sequence{b.tokens, b.score / math.Pow(float64(len(b.tokens)), q.o.Alpha)})
			continue
		}
		if len(q.beams) < k {
			row := base + len(q.beams)
			ids[row], from[row] = c.token, int32(base+c.beam)
			q.beams = append(q.beams, b)
		}
	}
	for i := len(q.beams); i < k; i++ { // rows without a beam compute something harmless
		ids[base+i], from[base+i] = 0, int32(base+i)
	}
}

// result returns the texts, best first.
func (q *search) result() []Sequence {
	out := q.done
	if q.o.Rank == Mean || len(out) < q.o.Beams {
		for _, b := range q.beams {
			n := float64(len(b.tokens))
			score := b.score / n
			if q.o.Rank == Finished {
				score = b.score / math.Pow(n, q.o.Alpha)
			}
			out = append(out, Sequence{b.tokens, score})
		}
	}
	slices.SortStableFunc(out, func(a, b Sequence) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), q.o.Beams)]
}
