package verify

import (
	"context"
	"fmt"
	"math"

	"syntic/models/clip"
	"syntic/tensor/graph"
	"syntic/weights"
)

// clipPlayer plays the cases of a whole CLIP.
type clipPlayer struct {
	loaded
	*clip.Model
}

func openCLIP(s *suite, e *entry) (player, error) {
	p := &clipPlayer{}
	var err error
	p.loaded, err = s.load(e, newCLIP, func(d graph.Device, config []byte, src weights.Source) (err error) {
		p.Model, err = clip.Load(d, config, src)
		return err
	})
	return p, err
}

func (p *clipPlayer) close() error {
	p.Model.Close()
	return p.loaded.close()
}

func (p *clipPlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	switch {
	case c.Inputs["pixel_values"].Tensor != "":
		return p.image(ctx, c)
	case c.Inputs["input_ids"].Tensor != "":
		return p.text(ctx, c)
	}
	return p.similarity(ctx, c)
}

// image computes the features as callers do, and the inner values with a
// program that keeps them.
func (p *clipPlayer) image(ctx context.Context, c *testCase) (map[string]array, error) {
	pixels, n, err := p.pixels(c)
	if err != nil {
		return nil, err
	}
	got := map[string]array{}
	if _, ok := c.Outputs["image_features"]; ok {
		features := make([]float32, n*p.Config().Projection)
		if err := p.ImageFeatures(ctx, features, pixels); err != nil {
			return nil, err
		}
		got["image_features"] = values(features, n, p.Config().Projection)
	}
	taps := taps(c, map[string]string{"vision_last": fmt.Sprintf("vision_layer%d", p.Config().Vision.Layers)}, "image_features")
	if len(taps) == 0 {
		return got, nil
	}
	program, err := p.ImageProgram(n, taps.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("pixel_values"), pixels)
	return taps.run(ctx, program, got)
}

func (p *clipPlayer) pixels(c *testCase) (pixels []float32, n int, err error) {
	v, shape, err := c.floats("pixel_values", 4)
	if err != nil {
		return nil, 0, err
	}
	return toNHWC(v, shape), shape[0], nil
}

// text computes the features as callers do where the case has no mask, and all
// rows with a program that keeps them.
func (p *clipPlayer) text(ctx context.Context, c *testCase) (map[string]array, error) {
	texts, err := c.ids("input_ids")
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 || len(texts[0]) == 0 {
		return nil, fmt.Errorf("input_ids is empty")
	}
	n, length := len(texts), len(texts[0])
	got := map[string]array{}
	kept := taps(c, map[string]string{"last_hidden_state": "text_last_hidden"}, "text_features")
	program, err := p.TextHidden(n, length, kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	end, mask, ids := program.I32("end"), program.F32("mask"), program.I32("input_ids")
	for i, t := range texts {
		copy(ids[i*length:], t)
		end[i] = int32(p.Config().Text.End(t))
	}
	masked := c.Inputs["attention_mask"].Tensor != ""
	if masked {
		keep, err := c.ids("attention_mask")
		if err != nil {
			return nil, err
		}
		if len(keep) != n || len(keep[0]) != length {
			return nil, fmt.Errorf("input_ids and attention_mask don't fit")
		}
		for i := range mask {
			mask[i] = float32(keep[i/length][i%length])
		}
	} else {
		for i := range mask {
			mask[i] = 1
		}
	}
	if got, err = kept.run(ctx, program, got); err != nil {
		return nil, err
	}
	features := program.F32("text_features")
	if !masked {
		if err := p.TextFeatures(ctx, features, texts); err != nil {
			return nil, err
		}
	}
	got["text_features"] = values(features, n, p.Config().Projection)
	return got, nil
}

// similarity computes the logits of pictures against texts.
func (p *clipPlayer) similarity(ctx context.Context, c *testCase) (map[string]array, error) {
	pixels, n, err := p.pixels(c)
	if err != nil {
		return nil, err
	}
	texts, err := c.ids("input_ids")
	if err != nil {
		return nil, err
	}
	d, t := p.Config().Projection, len(texts)
	image, text := make([]float32, n*d), make([]float32, t*d)
	if err := p.ImageFeatures(ctx, image, pixels); err != nil {
		return nil, err
	}
	if err := p.TextFeatures(ctx, text, texts); err != nil {
		return nil, err
	}
	scale, err := p.Scale()
	if err != nil {
		return nil, err
	}
	normalize(image, d)
	normalize(text, d)
	logits := make([]float32, n*t)
	for i := range logits {
		cosine := 0.0
		for j := range d {
			cosine += float64(image[i/t*d+j]) * float64(text[i%t*d+j])
		}
		logits[i] = float32(float64(scale) * cosine)
	}
	return map[string]array{
		"image_embeds": values(image, n, d), "text_embeds": values(text, t, d), "logits_per_image": values(logits, n, t),
	}, nil
}

// normalize scales every row of d values to unit length.
func normalize(v []float32, d int) {
	for ; len(v) > 0; v = v[d:] {
		sum := 0.0
		for _, x := range v[:d] {
			sum += float64(x) * float64(x)
		}
		for i, x := range v[:d] {
			v[i] = float32(float64(x) / math.Sqrt(sum))
		}
	}
}

// textPlayer plays the cases of a text encoder alone.
type textPlayer struct {
	loaded
	*clip.TextModel
}

func openText(s *suite, e *entry) (player, error) {
	p := &textPlayer{}
	var err error
	p.loaded, err = s.load(e, newText, func(d graph.Device, config []byte, src weights.Source) (err error) {
		p.TextModel, err = clip.LoadText(d, config, src)
		return err
	})
	return p, err
}

func (p *textPlayer) close() error {
	p.TextModel.Close()
	return p.loaded.close()
}

func (p *textPlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	texts, err := c.ids("input_ids")
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 || len(texts[0]) == 0 {
		return nil, fmt.Errorf("input_ids is empty")
	}
	n, length, d := len(texts), len(texts[0]), p.Config().Hidden
	hidden := make([]float32, n*length*d)
	if err := p.Hidden(ctx, hidden, texts); err != nil {
		return nil, err
	}
	// The pooler's output is the row at the end mark.
	pooled := make([]float32, n*d)
	for i, t := range texts {
		copy(pooled[i*d:(i+1)*d], hidden[(i*length+p.Config().End(t))*d:])
	}
	got := map[string]array{"last_hidden_state": values(hidden, n, length, d), "pooler_output": values(pooled, n, d)}
	kept := taps(c, map[string]string{"layer1": "text_layer1", "layer6": "text_layer6"}, "last_hidden_state", "pooler_output")
	if len(kept) == 0 {
		return got, nil
	}
	program, err := p.Program(n, length, kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	for i, t := range texts {
		copy(program.I32("input_ids")[i*length:], t)
	}
	return kept.run(ctx, program, got)
}
