package synth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"syntic/models/caption"
	"syntic/models/sd"
	"syntic/models/vision"
	"syntic/tensor"
	"syntic/weights"
)

// Maker has the models that results are made with.
type Maker struct {
	Pipeline *sd.Pipeline
	Settings sd.Settings
	Encoder  *caption.Encoder  // nil where no features are kept
	Detector *caption.Detector // nil where no features are kept
	Batch    int               // pictures drawn at a time

	// Report is called for every item of the shard once it is done: drawn now,
	// found there, or failed with an error. Nil for no reports.
	Report func(it Item, there bool, err error)

	behind Behind
}

// ErrSome says that some items failed; Report told which.
var ErrSome = errors.New("some captions have no result; the same command tries them again")

// Run makes what the shard lacks of its items and writes its index. A batch is
// written while the next one is drawn.
//
// Errors: ctx's, once what was drawn is written; writing; ErrSome at the end, when an item's values
// weren't finite: the others are done then, and there is no index.
func (m *Maker) Run(ctx context.Context, s *Store, list []Item) error {
	failed, err := m.makeAll(ctx, s, list)
	if err = errors.Join(err, m.behind.Wait()); err != nil {
		return err
	}
	if failed {
		return ErrSome
	}
	return s.Finish(list)
}

// makeAll makes what is missing; what it drew last may still be written.
func (m *Maker) makeAll(ctx context.Context, s *Store, list []Item) (failed bool, err error) {
	var batch []Item
	draw := func() error {
		if len(batch) == 0 {
			return nil
		}
		bad, err := m.draw(ctx, s, batch)
		failed, batch = failed || bad, nil
		return err
	}
	for _, it := range list {
		parts, err := s.missing(it.Key)
		if err != nil {
			return failed, err
		}
		switch {
		case len(parts) == 0:
			m.report(it, true, nil)
		case slices.Equal(parts, []string{Features}) && slices.Contains(s.recipe.Keep, Pictures):
			if err := m.encodeKept(ctx, s, it); err != nil { // it was drawn before; the picture tells the rest
				return failed, err
			}
			m.report(it, false, nil)
		default:
			batch = append(batch, it)
		}
		if len(batch) == m.Batch {
			if err := draw(); err != nil {
				return failed, err
			}
		}
	}
	err = draw()
	return failed, err
}

func (m *Maker) report(it Item, there bool, err error) {
	if m.Report != nil {
		m.Report(it, there, err)
	}
}

// draw makes a batch; one whose values aren't finite is made again item by item,
// since one bad item spoils nobody else's but ends the drawing.
func (m *Maker) draw(ctx context.Context, s *Store, batch []Item) (failed bool, err error) {
	prompts := make([]sd.Prompt, len(batch))
	for i, it := range batch {
		prompts[i] = sd.Prompt{Text: it.Caption, Negative: s.recipe.Negative, Seed: it.Seed}
	}
	latents, pictures, err := m.make(ctx, s, prompts)
	switch {
	case errors.Is(err, sd.ErrNotFinite) && len(batch) > 1:
		for i := range batch {
			bad, err := m.draw(ctx, s, batch[i:i+1])
			if failed = failed || bad; err != nil {
				return failed, err
			}
		}
		return failed, nil
	case errors.Is(err, sd.ErrNotFinite):
		m.report(batch[0], false, err)
		return true, nil
	case err != nil:
		return false, err
	}
	writes := make([][]func() error, len(batch))
	for i, it := range batch {
		var p *vision.Picture
		if pictures != nil {
			p = pictures[i]
		}
		if writes[i], err = m.keep(ctx, s, it, latents[i], p); err != nil {
			return false, err
		}
	}
	return false, m.behind.Begin(len(batch), func(i int) error {
		for _, write := range writes[i] {
			if err := write(); err != nil {
				return err
			}
		}
		return nil
	}, func(i int) error {
		m.report(batch[i], false, nil)
		return nil
	})
}

// latent is one picture's, [h,w,C].
type latent struct {
	shape  []int
	values []float32
}

// make draws; pictures is nil where only latents are kept.
func (m *Maker) make(ctx context.Context, s *Store, prompts []sd.Prompt) (latents []latent, pictures []*vision.Picture, err error) {
	d, err := m.Pipeline.Start(ctx, prompts, m.Settings)
	if err != nil {
		return nil, nil, err
	}
	for range d.Steps() {
		if err := d.Step(ctx); err != nil {
			return nil, nil, err
		}
		if err := m.behind.Poll(); err != nil {
			return nil, nil, err
		}
	}
	h, w := d.Cells()
	x, err := d.Latents(ctx)
	if err != nil {
		return nil, nil, err
	}
	part := len(x) / len(prompts)
	for i := range prompts {
		latents = append(latents, latent{[]int{h, w, part / (h * w)}, x[i*part : (i+1)*part]})
	}
	if slices.Equal(s.recipe.Keep, []string{Latents}) {
		return latents, nil, nil
	}
	pictures, err = d.Pictures(ctx)
	return latents, pictures, err
}

// keep returns what writes the parts that the recipe keeps of a result.
func (m *Maker) keep(ctx context.Context, s *Store, it Item, z latent, p *vision.Picture) (writes []func() error, err error) {
	for _, part := range s.recipe.Keep {
		var write func() error
		switch part {
		case Pictures:
			write = func() error {
				return s.put(it.Key, part, func(w io.Writer) error { return p.Encode(w, ".png", about(it)) })
			}
		case Latents:
			write = func() error {
				return s.putTensors(it.Key, part, []weights.Info{floats("latent", z.shape, z.values)}, map[string]string{"caption": it.Caption})
			}
		case Features:
			if write, err = m.encode(ctx, s, it, p); err != nil {
				return nil, err
			}
		}
		writes = append(writes, write)
	}
	return writes, nil
}

func about(it Item) string { return fmt.Sprintf("%s\nSeed: %d", it.Caption, it.Seed) }

// encodeKept makes the features of a picture that is there already.
func (m *Maker) encodeKept(ctx context.Context, s *Store, it Item) error {
	f, err := os.Open(s.path(it.Key, Pictures))
	if err != nil {
		return err
	}
	defer f.Close()
	p, _, err := vision.Decode(f, vision.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w; remove it to have it drawn anew", f.Name(), err)
	}
	write, err := m.encode(ctx, s, it, p)
	if err != nil {
		return err
	}
	return write()
}

// tag is a detected object as features keep it.
type tag struct {
	Name  string  `json:"name"`
	Score float32 `json:"score"`
}

// encode makes the CLIP feature and the tags of a picture and returns what writes
// them.
func (m *Maker) encode(ctx context.Context, s *Store, it Item, p *vision.Picture) (write func() error, err error) {
	feature, err := m.Encoder.Pictures(ctx, []*vision.Picture{p}, nil)
	if err != nil {
		return nil, err
	}
	found, err := m.Detector.Detect(ctx, []*vision.Picture{p}, float32(s.recipe.Threshold), nil)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, o := range found[0] {
		tags = append(tags, tag{m.Detector.Labels()[o.Label], o.Score})
	}
	text, err := json.Marshal(tags)
	if err != nil {
		return nil, err
	}
	return func() error {
		return s.putTensors(it.Key, Features, []weights.Info{floats("feature", []int{len(feature)}, feature)},
			map[string]string{"caption": it.Caption, "tags": string(text)})
	}, nil
}

// floats makes a tensor of values.
func floats(name string, shape []int, values []float32) weights.Info {
	return weights.Info{Name: name, DType: weights.F32, Shape: shape, Data: tensor.FromF32(values, shape...).Data}
}
