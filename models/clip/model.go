package clip

import (
	"context"
	"fmt"
	"math"

	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Model is CLIP: both towers and their projections. Its fields' names are the
// checkpoint's.
//
// Concurrency: one call at a time.
type Model struct {
	Text       *TextTower   `w:"text_model"`
	Vision     *VisionTower `w:"vision_model"`
	VisionProj *nn.Linear   `w:"visual_projection"`
	TextProj   *nn.Linear   `w:"text_projection"`
	LogitScale *graph.Param `w:"logit_scale"`

	cfg   Config
	dev   graph.Device
	cache *graph.Cache[shapeKey]
}

type shapeKey struct {
	text        bool
	batch, size int
}

// programs is how many shapes a model keeps ready: a batch size or two, their
// remainders, and a few text lengths.
const programs = 8

// New returns a model of this size without weights.
func New(c Config) *Model {
	return &Model{
		Text: newTextTower(c.Text), Vision: newVisionTower(c.Vision),
		VisionProj: nn.NewLinear(c.Vision.Hidden, c.Projection, false),
		TextProj:   nn.NewLinear(c.Text.Hidden, c.Projection, false),
		LogitScale: graph.NewParam(),
		cfg:        c,
	}
}

// Load returns the model that config.json describes, with weights from src, to
// run on d. src must stay open while the model lives: weights are packed when
// the first program needs them.
func Load(d graph.Device, config []byte, src weights.Source) (*Model, error) {
	c, err := ParseConfig(config)
	if err != nil {
		return nil, err
	}
	m := New(c)
	m.dev, m.cache = d, graph.NewCache[shapeKey](programs)
	return m, nn.Load(m, "", src)
}

// Config returns the model's sizes.
func (m *Model) Config() Config { return m.cfg }

// Close frees the model's programs.
func (m *Model) Close() error { return m.cache.Close() }

// ImageFeatures encodes pictures. Shapes: pixels [B,S,S,3], normalised as the
// preprocessor says; dst [B,P] gets the projected features, not normalised.
func (m *Model) ImageFeatures(ctx context.Context, dst, pixels []float32) error {
	s := m.cfg.Vision.Image
	n, per := len(pixels)/(s*s*3), s*s*3
	if n*per != len(pixels) || len(dst) != n*m.cfg.Projection {
		return fmt.Errorf("clip: %d pixel values and %d feature values aren't whole pictures of %d×%d", len(pixels), len(dst), s, s)
	}
	for lo := 0; lo < n; lo += m.dev.Batch() {
		hi := min(lo+m.dev.Batch(), n)
		p, err := m.ImageProgram(hi - lo)
		if err != nil {
			return err
		}
		copy(p.F32("pixel_values"), pixels[lo*per:hi*per])
		if err := p.Run(ctx); err != nil {
			return err
		}
		copy(dst[lo*m.cfg.Projection:], p.F32("image_features"))
	}
	return nil
}

// ImageProgram returns the program of a batch: pixel_values [B,S,S,3] in,
// image_features [B,P] out. The names in taps, such as vision_layer6, become
// outputs too.
func (m *Model) ImageProgram(batch int, taps ...string) (*graph.Program, error) {
	record := func(b *graph.Builder) {
		s := m.cfg.Vision.Image
		x := m.Vision.forward(b, b.Input("pixel_values", batch, s, s, 3), len(taps) > 0)
		b.Output("image_features", m.VisionProj.Forward(b, x, graph.LinearOpts{}))
	}
	if len(taps) > 0 {
		return graph.Build(m.dev, record, taps...)
	}
	return m.cache.Get(shapeKey{false, batch, m.cfg.Vision.Image}, func() (*graph.Program, error) {
		return graph.Build(m.dev, record)
	})
}

// TextFeatures encodes texts. Each is its token ids, beginning and end marks
// included, at most Positions of them; rows beyond a text's end don't matter to
// it. dst [len(texts),P] gets the projected features, not normalised.
func (m *Model) TextFeatures(ctx context.Context, dst []float32, texts [][]int32) error {
	if len(dst) != len(texts)*m.cfg.Projection {
		return fmt.Errorf("clip: %d feature values for %d texts", len(dst), len(texts))
	}
	for lo := 0; lo < len(texts); lo += m.dev.Batch() {
		part := texts[lo:min(lo+m.dev.Batch(), len(texts))]
		longest := 1
		for i, ids := range part {
			if len(ids) < 1 || len(ids) > m.cfg.Text.Positions {
				return fmt.Errorf("clip: text %d has %d tokens; 1 to %d are possible", lo+i, len(ids), m.cfg.Text.Positions)
			}
			longest = max(longest, len(ids))
		}
		// Few lengths, so that programs are reused: a multiple of 8.
		longest = min((longest+7)/8*8, m.cfg.Text.Positions)
		p, err := m.TextProgram(len(part), longest)
		if err != nil {
			return err
		}
		m.fill(p, part, longest)
		if err := p.Run(ctx); err != nil {
			return err
		}
		copy(dst[lo*m.cfg.Projection:], p.F32("text_features"))
	}
	return nil
}

// fill writes the ids, the end positions and the key masks of texts.
func (m *Model) fill(p *graph.Program, texts [][]int32, length int) {
	ids, end, keys := p.I32("input_ids"), p.I32("end"), p.F32("keys")
	clear(ids)
	clear(keys)
	for i, t := range texts {
		copy(ids[i*length:], t)
		end[i] = int32(m.cfg.Text.End(t))
		for j := range end[i] + 1 {
			keys[i*length+int(j)] = 1
		}
	}
}

// TextProgram returns the program of a batch of texts padded to one length:
// input_ids and keys [B,T], end [B] in, text_features [B,P] out. keys is 1 for
// the tokens up to the end mark and 0 after it.
func (m *Model) TextProgram(batch, length int) (*graph.Program, error) {
	return m.cache.Get(shapeKey{true, batch, length}, func() (*graph.Program, error) {
		return graph.Build(m.dev, func(b *graph.Builder) {
			ids, end, keys := b.InputI32("input_ids", batch, length), b.InputI32("end", batch), b.Input("keys", batch, length)
			x := m.Text.pooled(b, ids, end, keys)
			b.Output("text_features", m.TextProj.Forward(b, x, graph.LinearOpts{}))
		})
	})
}

// TextHidden returns a program that computes every row of the text tower, for
// checks: input_ids and mask [B,T], end [B] in, text_features [B,P] and the
// taps out.
func (m *Model) TextHidden(batch, length int, taps ...string) (*graph.Program, error) {
	return graph.Build(m.dev, func(b *graph.Builder) {
		ids, end, mask := b.InputI32("input_ids", batch, length), b.InputI32("end", batch), b.Input("mask", batch, length)
		x := m.Text.hidden(b, ids, mask)
		b.Output("text_features", m.TextProj.Forward(b, b.Gather(x, end), graph.LinearOpts{}))
	}, taps...)
}

// legacyEOS marks configs from before the end mark's id was recorded right;
// they pool at the largest id. Source: transformers modeling_clip.py,
// CLIPTextTransformer.forward.
const legacyEOS = 2

// End returns the index of the token whose row becomes the text's feature: the
// first end mark, or for old configs the first of the largest ids.
func (t Text) End(ids []int32) int {
	best := 0
	for i, id := range ids {
		if t.EOS != legacyEOS {
			if int(id) == t.EOS {
				return i
			}
			continue
		}
		if id > ids[best] {
			best = i
		}
	}
	return best
}

// Scale returns exp(logit_scale), the factor of cosines in CLIP's logits.
func (m *Model) Scale() (float32, error) {
	v, err := m.LogitScale.Float32s()
	if err != nil {
		return 0, err
	}
	return float32(math.Exp(float64(v[0]))), nil
}
