package decoder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"syntic/tensor/graph"
)

// sessionKey is the shape of a decoding run.
type sessionKey struct {
	rows, prefix, length int
	candidates           int // tokens per row that compete: 0 is the likeliest alone, all the whole vocabulary
}

// all lets every token be a candidate: the host gets the likeliest ones, and what tells
// whether they decide.
const all = -1

// session holds the caches of a fixed number of rows and the two programs that
// fill them: one reads the prefix, the other one token per row, and where decoding is
// greedy and the device wants it the tokens that follow from it.
type session struct {
	states []*graph.State // per layer [rows,length,2D]: keys, then values
	first  *graph.Program
	next   *graph.Program
	last   *graph.Program // whichever ran last
	whole  *graph.Program // all logits of its rows; nil until some are needed
	ahead  int            // tokens that next makes
	most   int            // the last position there is
	used   int            // positions filled

	fetched bool // whole ran after last
}

// maxSessions is how many shapes stay ready; their caches are the larger part.
const maxSessions = 4

func (m *Model) session(key sessionKey) (*session, error) {
	// The last token is never read back, so it needs no position.
	if tokens, most := key.length-key.prefix, m.cfg.Positions-key.prefix+1; tokens < 1 || tokens > most {
		return nil, fmt.Errorf("decoder: %d tokens after a prefix of %d are asked for; the model has %d positions, so 1 to %d are possible", tokens, key.prefix, m.cfg.Positions, most)
	}
	if key.candidates > graph.MaxTopK {
		return nil, fmt.Errorf("decoder: %d candidates a text are asked for, two a beam; %d are possible, so at most %d beams", key.candidates, graph.MaxTopK, graph.MaxTopK/2)
	}
	if i := slices.Index(m.recent, key); i >= 0 {
		m.recent = append(slices.Delete(m.recent, i, i+1), key)
		return m.sessions[key], nil
	}
	if len(m.recent) >= maxSessions {
		if err := m.evict(); err != nil {
			return nil, err
		}
	}
	s := &session{ahead: 1, most: min(key.length, m.cfg.Positions) - 1}
	if runs := key.length - key.prefix - 1; key.candidates == 0 && runs > 0 {
		runs = (runs + m.dev.Ahead() - 1) / m.dev.Ahead()
		s.ahead = (key.length - key.prefix - 1 + runs - 1) / runs
	}
	for i := range m.cfg.Layers {
		s.states = append(s.states, graph.NewState(fmt.Sprintf("cache of layer %d", i), key.rows, key.length, 2*m.cfg.Width))
	}
	var err error
	if s.first, err = graph.Build(m.dev, func(b *graph.Builder) { m.recordFirst(b, key, s.states) }); err != nil {
		return nil, err
	}
	if s.next, err = graph.Build(m.dev, func(b *graph.Builder) { m.recordNext(b, key, s) }); err != nil {
		return nil, errors.Join(err, s.first.Close())
	}
	m.sessions[key] = s
	m.recent = append(m.recent, key)
	return s, nil
}

func (m *Model) evict() error {
	s := m.sessions[m.recent[0]]
	delete(m.sessions, m.recent[0])
	m.recent = m.recent[1:]
	errs := []error{s.first.Close(), s.next.Close()}
	if s.whole != nil {
		errs = append(errs, s.whole.Close())
	}
	return errors.Join(errs...)
}

// recordFirst records the reading of the prefix: every position attends to
// those before it, and only the last one's logits are wanted.
func (m *Model) recordFirst(b *graph.Builder, key sessionKey, states []*graph.State) {
	d := m.cfg.Width
	at := b.InputI32("at", 1)
	x := b.AddParam(b.Input("prefix", key.rows, key.prefix, d), m.positions(key.prefix))
	for i, k := range m.Core.Blocks {
		x = k.forward(b, x, m.cfg.act, func(qkv graph.Value) graph.Value {
			b.CacheWrite(states[i], qkv, d, at)
			return b.Attention(qkv, qkv, qkv, graph.AttentionOpts{Heads: m.cfg.Heads, D: d / m.cfg.Heads, KOff: d, VOff: 2 * d, Causal: true})
		})
	}
	m.finish(b, b.Slice(x, 1, key.prefix-1, key.prefix), key, 0)
}

// recordNext records the session's steps, each of which reads what the one before has
// chosen.
func (m *Model) recordNext(b *graph.Builder, key sessionKey, s *session) {
	ids := b.InputI32("ids", key.rows, 1)
	for i := range s.ahead {
		x := m.recordStep(b, key, s.states, ids, i)
		if token := m.finish(b, x, key, i); i+1 < s.ahead {
			ids = b.Reshape(token, key.rows, 1)
		}
	}
}

// recordStep records step i: a token per row at position at, attending to the used
// positions of the cache. Where tokens compete, row r first takes over the cache of
// row from[r].
func (m *Model) recordStep(b *graph.Builder, key sessionKey, states []*graph.State, ids graph.Value, i int) graph.Value {
	d := m.cfg.Width
	at, used := b.InputI32(of("at", i), 1), b.InputI32(of("used", i), 1)
	var from graph.Value
	if key.candidates != 0 {
		from = b.InputI32("from", key.rows)
	}
	x := b.Add(m.Core.Token.Forward(b, ids), m.Core.Position.Forward(b, at))
	for i, k := range m.Core.Blocks {
		x = k.forward(b, x, m.cfg.act, func(qkv graph.Value) graph.Value {
			if key.candidates != 0 {
				b.CacheSelect(states[i], from, at)
			}
			cache := b.CacheWrite(states[i], qkv, d, at)
			return b.Attention(qkv, cache, cache, graph.AttentionOpts{Heads: m.cfg.Heads, D: d / m.cfg.Heads, VOff: d, Used: used})
		})
	}
	return x
}

// of names the input or output of a program's step i.
func of(name string, i int) string { return name + strconv.Itoa(i) }

// finish records the output layer over step i's x [rows,1,D] and returns the tokens
// where it chooses them.
func (m *Model) finish(b *graph.Builder, x graph.Value, key sessionKey, i int) graph.Value {
	n, vocab, most := key.rows, m.cfg.Vocab, key.candidates
	logits := b.Reshape(m.logits(b, x), n, vocab)
	if most == 0 {
		token := b.ArgMax(logits)
		b.Output(of("token", i), token)
		return token
	}
	column := b.Reshape(logits, n, vocab, 1)
	if most == all {
		most = min(vocab, graph.MaxTopK)
		b.Output("hidden", b.Reshape(x, n, m.cfg.Width))
		b.Output("normalizer at temperature", b.Normalizer(b.Reshape(b.Mul(column, b.Input("inverse temperature", 1)), n, vocab)))
	}
	top := b.Output("tokens", b.TopK(logits, most))
	b.Output("logits", b.Gather(column, top))
	b.Output("normalizer", b.Normalizer(logits))
	return graph.Value{}
}

// whole returns the program that makes all logits of every row from the hidden states.
func (m *Model) whole(s *session) (*graph.Program, error) {
	if s.whole == nil {
		var err error
		if s.whole, err = graph.Build(m.dev, func(b *graph.Builder) {
			b.Output("logits", m.logits(b, b.Input("hidden", s.states[0].Shape[0], 1, m.cfg.Width)))
		}); err != nil {
			return nil, err
		}
	}
	return s.whole, nil
}

// rowLogits returns all logits of a row of the last program, which are fetched when a row's
// are first asked for.
func (m *Model) rowLogits(ctx context.Context, s *session, row int) ([]float32, error) {
	p, err := m.whole(s)
	if err != nil {
		return nil, err
	}
	if !s.fetched {
		copy(p.F32("hidden"), s.last.F32("hidden"))
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
		s.fetched = true
	}
	return p.F32("logits")[row*m.cfg.Vocab:][:m.cfg.Vocab], nil
}

// start reads the prefix [rows,P,D].
func (s *session) start(ctx context.Context, prefix []float32) error {
	copy(s.first.F32("prefix"), prefix)
	s.first.I32("at")[0] = 0
	s.used = s.first.Shape("prefix")[1]
	s.last, s.fetched = s.first, false
	return s.first.Run(ctx)
}

// step reads one token per row and goes on from there; from, where given, says whose
// cache each row continues. Steps past the last position, whose tokens nobody asked for,
// stay there.
func (s *session) step(ctx context.Context, ids, from []int32) error {
	copy(s.next.I32("ids"), ids)
	if from != nil {
		copy(s.next.I32("from"), from)
	}
	for i := range s.ahead {
		at := min(s.used, s.most)
		s.next.I32(of("at", i))[0], s.next.I32(of("used", i))[0] = int32(at), int32(at+1)
		s.used++
	}
	s.last, s.fetched = s.next, false
	return s.next.Run(ctx)
}

// tokens returns how many tokens per row the last program chose.
func (s *session) tokens() int {
	if s.last == s.first {
		return 1
	}
	return s.ahead
}

// token returns the last program's choice i of every row.
func (s *session) token(i int) []int32 { return s.last.I32(of("token", i)) }
