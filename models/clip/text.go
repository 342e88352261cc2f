package clip

import (
	"context"
	"fmt"

	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// TextModel is a text tower alone, as Stable Diffusion ships one: no projection,
// and every token's row is wanted.
//
// Concurrency: one call at a time.
type TextModel struct {
	Text *TextTower `w:"text_model"`

	dev   graph.Device
	cache *graph.Cache[shapeKey]
}

// NewText returns a text tower of this size without weights.
func NewText(t Text) *TextModel { return &TextModel{Text: newTextTower(t)} }

// LoadText returns the text tower that config.json describes, with weights from
// src, to run on d. src must stay open while the model lives.
func LoadText(d graph.Device, config []byte, src weights.Source) (*TextModel, error) {
	t, err := ParseText(config)
	if err != nil {
		return nil, err
	}
	m := NewText(t)
	m.dev, m.cache = d, graph.NewCache[shapeKey](programs)
	return m, nn.Load(m, "", src)
}

// Config returns the tower's sizes.
func (m *TextModel) Config() Text { return m.Text.cfg }

// Close frees the model's programs.
func (m *TextModel) Close() error { return m.cache.Close() }

// Program returns the program of a batch of texts of one length: input_ids [B,T]
// in, last_hidden_state [B,T,D] out. The names in taps, such as text_layer6,
// become outputs too.
func (m *TextModel) Program(batch, length int, taps ...string) (*graph.Program, error) {
	record := func(b *graph.Builder) { m.Record(b, batch, length) }
	if len(taps) > 0 {
		return graph.Build(m.dev, record, taps...)
	}
	return m.cache.Get(shapeKey{true, batch, length}, func() (*graph.Program, error) { return graph.Build(m.dev, record) })
}

// Record records what Program runs, for those who plan.
func (m *TextModel) Record(b *graph.Builder, batch, length int) {
	b.Output("last_hidden_state", m.Text.hidden(b, b.InputI32("input_ids", batch, length), graph.Value{}))
}

// Hidden encodes texts of one length, padding included. dst [len(texts),T,D]
// gets the normalised rows of every token.
func (m *TextModel) Hidden(ctx context.Context, dst []float32, texts [][]int32) error {
	if len(texts) == 0 {
		return nil
	}
	t := len(texts[0])
	if t < 1 || t > m.Text.cfg.Positions || len(dst) != len(texts)*t*m.Text.cfg.Hidden {
		return fmt.Errorf("clip: %d texts of %d tokens, of at most %d, and %d values for their rows", len(texts), t, m.Text.cfg.Positions, len(dst))
	}
	p, err := m.Program(len(texts), t)
	if err != nil {
		return err
	}
	ids := p.I32("input_ids")
	for i, text := range texts {
		if len(text) != t {
			return fmt.Errorf("clip: text %d has %d tokens, the first has %d", i, len(text), t)
		}
		copy(ids[i*t:], text)
	}
	if err := p.Run(ctx); err != nil {
		return err
	}
	copy(dst, p.F32("last_hidden_state"))
	return nil
}
