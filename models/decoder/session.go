package decoder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"syntic/tensor/graph"
)

// mode is what a step hands to the host.
type mode uint8

const (
	greedy mode = iota // the likeliest token of each row
	ranked             // logits with their normaliser; rows may change places
)

// sessionKey is the shape of a decoding run.
type sessionKey struct {
	rows, prefix, length int
	mode                 mode
}

// session holds the caches of a fixed number of rows and the two programs that
// fill them: one reads the prefix, the other one token per row.
type session struct {
	states []*graph.State // per layer [rows,length,2D]: keys, then values
	first  *graph.Program
	next   *graph.Program
	last   *graph.Program // whichever ran last
	used   int            // positions filled
}

// maxSessions is how many shapes stay ready; their caches are the larger part.
const maxSessions = 4

func (m *Model) session(key sessionKey) (*session, error) {
	// The last token is never read back, so it needs no position.
	if tokens, most := key.length-key.prefix, m.cfg.Positions-key.prefix+1; tokens < 1 || tokens > most {
		return nil, fmt.Errorf("decoder: %d tokens after a prefix of %d are asked for; the model has %d positions, so 1 to %d are possible", tokens, key.prefix, m.cfg.Positions, most)
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
	s := &session{}
	for i := range m.cfg.Layers {
		s.states = append(s.states, graph.NewState(fmt.Sprintf("cache of layer %d", i), key.rows, key.length, 2*m.cfg.Width))
	}
	var err error
	if s.first, err = graph.Build(m.dev, func(b *graph.Builder) { m.recordFirst(b, key, s.states) }); err != nil {
		return nil, err
	}
	if s.next, err = graph.Build(m.dev, func(b *graph.Builder) { m.recordNext(b, key, s.states) }); err != nil {
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
	return errors.Join(s.first.Close(), s.next.Close())
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
	m.finish(b, b.Slice(x, 1, key.prefix-1, key.prefix), key)
}

// recordNext records one step: a token per row at position at, attending to the
// used positions of the cache. In ranked mode row i first takes over the cache
// of row from[i].
func (m *Model) recordNext(b *graph.Builder, key sessionKey, states []*graph.State) {
	d := m.cfg.Width
	ids, at, used := b.InputI32("ids", key.rows, 1), b.InputI32("at", 1), b.InputI32("used", 1)
	var from graph.Value
	if key.mode == ranked {
		from = b.InputI32("from", key.rows)
	}
	x := b.Add(m.Core.Token.Forward(b, ids), m.Core.Position.Forward(b, at))
	for i, k := range m.Core.Blocks {
		x = k.forward(b, x, m.cfg.act, func(qkv graph.Value) graph.Value {
			if key.mode == ranked {
				b.CacheSelect(states[i], from, at)
			}
			cache := b.CacheWrite(states[i], qkv, d, at)
			return b.Attention(qkv, cache, cache, graph.AttentionOpts{Heads: m.cfg.Heads, D: d / m.cfg.Heads, VOff: d, Used: used})
		})
	}
	m.finish(b, x, key)
}

// finish records the output layer over x [rows,1,D].
func (m *Model) finish(b *graph.Builder, x graph.Value, key sessionKey) {
	logits := b.Reshape(m.logits(b, x), key.rows, m.cfg.Vocab)
	if key.mode == greedy {
		b.Output("token", b.ArgMax(logits))
		return
	}
	b.Output("normalizer", b.Normalizer(logits))
	b.Output("logits", logits)
}

// start reads the prefix [rows,P,D].
func (s *session) start(ctx context.Context, prefix []float32) error {
	copy(s.first.F32("prefix"), prefix)
	s.first.I32("at")[0] = 0
	s.used = s.first.Shape("prefix")[1]
	s.last = s.first
	return s.first.Run(ctx)
}

// step reads one token per row; from, where given, says whose cache each row
// continues.
func (s *session) step(ctx context.Context, ids, from []int32) error {
	copy(s.next.I32("ids"), ids)
	if from != nil {
		copy(s.next.I32("from"), from)
	}
	s.next.I32("at")[0] = int32(s.used)
	s.used++
	s.next.I32("used")[0] = int32(s.used)
	s.last = s.next
	return s.next.Run(ctx)
}
