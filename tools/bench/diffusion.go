package bench

import (
	"context"
	"errors"
	"fmt"

	"syntic/models/sd"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

const (
	latent = 64 // side of a 512×512 picture's latent
	prompt = 77 // tokens
)

// prepareUNet predicts the noise of a step, for as many latents as prompts; the
// prompts' keys and values are computed in every run, as peers do. As drawn
// (unet_guided), there are two prompts a latent, and their keys and values are there:
// computed once for all steps of a picture.
func prepareUNet(ctx context.Context, d graph.Device, w Work, config string, side int) (*job, error) {
	c, err := sd.ParseUNet([]byte(config))
	if err != nil {
		return nil, err
	}
	src := weights.Synthetic(seed, nn.List(sd.NewUNet(c), ""))
	u, err := sd.LoadUNet(d, []byte(config), src)
	if err != nil {
		return nil, err
	}
	latents, drawn := w.Bt, w.Model == "unet_guided"
	if drawn {
		latents /= 2
	}
	r := random()
	hidden, x := normal(r, w.Bt*prompt*c.Context), normal(r, latents*side*side*c.In)
	times, noise := make([]float64, latents), make([]float32, w.Bt*side*side*c.Out)
	for i := range times {
		times[i] = 500
	}
	j := &job{free: func() error { return errors.Join(u.Close(), src.Close()) }}
	j.run = func(ctx context.Context) error {
		if !drawn {
			if err := u.SetContext(ctx, hidden, w.Bt); err != nil {
				return err
			}
		}
		return u.Step(ctx, noise, x, times, side, side)
	}
	if err := u.SetContext(ctx, hidden, w.Bt); err != nil { // packs its weights
		return nil, err
	}
	_, err = u.Program(latents, w.Bt, side, side, prompt)
	return j, err
}

// prepareVAE makes pictures of latents, scaled as the UNet leaves them.
func prepareVAE(d graph.Device, w Work, config string, side int) (*job, error) {
	c, err := sd.ParseVAE([]byte(config))
	if err != nil {
		return nil, err
	}
	src := weights.Synthetic(seed, nn.List(sd.NewVAE(c), ""))
	v, err := sd.LoadVAE(d, []byte(config), src)
	if err != nil {
		return nil, err
	}
	x := normal(random(), w.Bt*side*side*c.Latent)
	z := make([]float32, len(x))
	full := side * v.Factor()
	picture := make([]float32, w.Bt*full*full*c.Out)
	j := &job{free: func() error { return errors.Join(v.Close(), src.Close()) }}
	j.run = func(ctx context.Context) error {
		for i, value := range x {
			z[i] = value / float32(c.Scale)
		}
		return v.Decode(ctx, picture, z, w.Bt, side, side)
	}
	_, err = v.DecodeProgram(w.Bt, side, side)
	return j, err
}

// imageSteps is how many steps a whole picture takes.
const imageSteps = 20

// prepareImage draws pictures of 512×512 from their prompts, whole: text encoder,
// steps with guidance, decoder, bytes.
func prepareImage(d graph.Device, w Work) (*job, error) {
	p, err := sd.Synthetic(d, seed)
	if err != nil {
		return nil, err
	}
	prompts := make([]sd.Prompt, w.Bt)
	settings := sd.Settings{Steps: imageSteps, Scheduler: "ddim", Guidance: 7.5}
	first := uint64(0)
	run := func(ctx context.Context) error {
		for i := range prompts {
			prompts[i] = sd.Prompt{Text: fmt.Sprintf("a photograph of %d dogs", first), Seed: first}
			first++ // no picture's text has been encoded before
		}
		drawing, err := p.Start(ctx, prompts, settings)
		if err != nil {
			return err
		}
		for range drawing.Steps() {
			if err := drawing.Step(ctx); err != nil {
				return err
			}
		}
		_, err = drawing.Pictures(ctx)
		return err
	}
	return &job{run: run, free: p.Close}, nil
}
