package decoder

import (
	"context"
	"fmt"

	"syntic/tensor/graph"
)

// Options say how tokens are chosen. The zero value of the rest is greedy
// decoding.
type Options struct {
	Max   int // the most tokens, the end mark included
	EOS   int // the end mark's id; -1 means none, so that Max tokens come out
	Beams int // beam search with this many beams; 0 and 1 mean greedy
	Rank  Rank
	Alpha float64 // Rank Finished: the length exponent of scores

	Temperature float64 // > 0 samples from the probabilities at this temperature
	TopK        int     // sampling: only the likeliest K tokens; 0 means all
	TopP        float64 // sampling: only the likeliest tokens that sum to this; 0 means all
	Seed        uint64  // sampling: equal seeds give equal texts, whatever the batch
}

// Sequence is a generated text.
type Sequence struct {
	Tokens []int32 // the end mark included where it was reached
	Score  float64 // beam search: the rank's score; sampling: the log-probability; greedy: 0
}

// Generate continues n prefixes. Shapes: prefix [n,P,D]. The result holds, for
// each prefix, the beams best first, or the one text of the other methods.
// Errors: a P+Max that the model has no positions for; more than 512 beams (of 1024 tokens
// or more).
func (m *Model) Generate(ctx context.Context, prefix []float32, n, p int, o Options) ([][]Sequence, error) {
	if n < 1 || p < 1 || len(prefix) != n*p*m.cfg.Width {
		return nil, fmt.Errorf("decoder: %d prefix values aren't %d×%d vectors of %d", len(prefix), n, p, m.cfg.Width)
	}
	s, err := m.session(m.key(n, p, o))
	if err != nil {
		return nil, err
	}
	switch {
	case o.Temperature > 0:
		return m.sample(ctx, s, prefix, n, o)
	case o.ranked():
		return m.beams(ctx, s, prefix, n, p, o)
	}
	return m.greedy(ctx, s, prefix, n, o)
}

// ranked reports whether several texts of one picture compete.
func (o *Options) ranked() bool { return o.Beams > 1 || o.Rank == Finished }

// open reports whether a sampled token may be one that isn't among a row's candidates.
func (o *Options) open(vocab int) bool {
	return o.TopK <= 0 || o.TopK > graph.MaxTopK || o.TopK >= vocab
}

// key returns the shape of the session that Generate needs.
func (m *Model) key(n, p int, o Options) sessionKey {
	k := sessionKey{n, p, p + o.Max, 0}
	switch {
	case o.Temperature > 0 && o.open(m.cfg.Vocab):
		k.candidates = all
	case o.Temperature > 0:
		k.candidates = o.TopK
	case o.ranked():
		beams := max(o.Beams, 1)
		k.rows *= beams
		k.candidates = min(2*beams, m.cfg.Vocab) // half of them may end their texts
	}
	return k
}

// Plan returns the bytes of activations and of cached keys and values that
// Generate needs beside the weights.
func (m *Model) Plan(n, p int, o Options) (arena, states int, err error) {
	k := m.key(n, p, o)
	s, err := m.session(k)
	if err != nil {
		return 0, 0, err
	}
	for _, t := range s.states {
		states += 4 * t.Shape.Elems()
	}
	arena = s.first.ArenaBytes() + s.next.ArenaBytes()
	if k.candidates == all {
		p, err := m.whole(s)
		if err != nil {
			return 0, 0, err
		}
		arena += p.ArenaBytes()
	}
	return arena, states, nil
}

func (m *Model) greedy(ctx context.Context, s *session, prefix []float32, n int, o Options) ([][]Sequence, error) {
	if err := s.start(ctx, prefix); err != nil {
		return nil, err
	}
	out := make([][]Sequence, n)
	for i := range out {
		out[i] = []Sequence{{Tokens: make([]int32, 0, o.Max)}}
	}
	for t := 0; ; {
		var tokens []int32
		for c := range s.tokens() {
			if tokens = s.token(c); t == o.Max || extend(out, tokens, t, o.EOS) == 0 {
				return out, nil
			}
			t++
		}
		if t == o.Max {
			return out, nil
		}
		if err := s.step(ctx, tokens, nil); err != nil {
			return nil, err
		}
	}
}

// extend adds each row's token t to the texts that go on, and returns how many still do.
func extend(out [][]Sequence, tokens []int32, t, eos int) (open int) {
	for i := range out {
		seq := &out[i][0]
		if len(seq.Tokens) < t || t > 0 && int(seq.Tokens[t-1]) == eos {
			continue
		}
		seq.Tokens = append(seq.Tokens, tokens[i])
		if int(tokens[i]) != eos {
			open++
		}
	}
	return open
}
