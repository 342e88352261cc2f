package caption

import (
	"context"
	"errors"
	"fmt"

	"syntic/models/clip"
	"syntic/models/token"
	"syntic/models/vision"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Encoder is CLIP with its tokenizer and preprocessing: pictures and texts to
// features of unit length.
//
// Concurrency: one call at a time.
type Encoder struct {
	CLIP   *clip.Model
	Tokens *token.Tokenizer

	input vision.Config
	src   weights.Source
}

// LoadEncoder opens CLIP: dir/clip of a model directory, or dir itself.
func LoadEncoder(d graph.Device, dir weights.Dir) (*Encoder, error) {
	dir, err := part(dir, "clip")
	if err != nil {
		return nil, err
	}
	config, err := dir.Read("config.json")
	if err != nil {
		return nil, err
	}
	e := &Encoder{}
	if e.src, err = dir.Weights("", weights.FamilyCLIP); err != nil {
		return nil, err
	}
	if e.CLIP, err = clip.Load(d, config, e.src); err == nil {
		if e.Tokens, err = tokenizer(dir); err == nil {
			e.input, err = preprocessor(dir, vision.CLIPConfig(e.CLIP.Config().Vision.Image))
		}
	}
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return nil, errors.Join(dir.Name(err), e.src.Close())
	}
	return e, nil
}

// check compares the tokenizer with the text tower: an id beyond the tower's
// table would be read from elsewhere, and without the end mark that the tower
// expects every text would get one and the same feature.
func (e *Encoder) check() error {
	t := e.CLIP.Config().Text
	if n := e.Tokens.VocabSize(); n > t.Vocab {
		return fmt.Errorf("the tokenizer has %d tokens, the text tower %d; vocab.json belongs to another model", n, t.Vocab)
	}
	if end := []int32{0, e.Tokens.End()}; t.End(end) != 1 {
		return fmt.Errorf("the text tower ends texts at token %d, the tokenizer at %d; vocab.json belongs to another model", t.EOS, end[1])
	}
	return nil
}

// Dim returns the length of a feature.
func (e *Encoder) Dim() int { return e.CLIP.Config().Projection }

// Pictures returns the pictures' features, [len(pictures),D].
func (e *Encoder) Pictures(ctx context.Context, pictures []*vision.Picture, par vision.Parallel) ([]float32, error) {
	s := e.CLIP.Config().Vision.Image
	pixels := make([]float32, len(pictures)*s*s*3)
	for i, p := range pictures {
		if err := e.input.Tensor(pixels[i*s*s*3:(i+1)*s*s*3], p, par); err != nil {
			return nil, fmt.Errorf("picture %d: %w", i+1, err)
		}
	}
	f := make([]float32, len(pictures)*e.Dim())
	if err := e.CLIP.ImageFeatures(ctx, f, pixels); err != nil {
		return nil, err
	}
	Normalize(f, e.Dim())
	return f, nil
}

// Texts returns the texts' features, [len(texts),D], and how many texts were
// too long for the tower and were cut to its first tokens.
func (e *Encoder) Texts(ctx context.Context, texts []string) (f []float32, cut int, err error) {
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		row, n, truncated := e.Tokens.Tokenize(t, e.CLIP.Config().Text.Positions, token.PadEnd)
		ids[i] = row[:n]
		if truncated {
			cut++
		}
	}
	f = make([]float32, len(texts)*e.Dim())
	if err := e.CLIP.TextFeatures(ctx, f, ids); err != nil {
		return nil, 0, err
	}
	Normalize(f, e.Dim())
	return f, cut, nil
}

// Weights returns the checkpoint, which stays the encoder's.
func (e *Encoder) Weights() weights.Source { return e.src }

// Close frees the programs and closes the checkpoint.
func (e *Encoder) Close() error { return errors.Join(e.CLIP.Close(), e.src.Close()) }
