package verify

import (
	"context"
	"fmt"

	"syntic/models/sd"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// unetPlayer plays the cases of Stable Diffusion's UNet.
type unetPlayer struct {
	loaded
	*sd.UNet
}

func newUNet(config []byte) (any, error) {
	c, err := sd.ParseUNet(config)
	if err != nil {
		return nil, err
	}
	return sd.NewUNet(c), nil
}

func openUNet(s *suite, e *entry) (player, error) {
	p := &unetPlayer{}
	var err error
	p.loaded, err = s.load(e, newUNet, func(d graph.Device, config []byte, src weights.Source) (err error) {
		p.UNet, err = sd.LoadUNet(d, config, src)
		return err
	})
	return p, err
}

func (p *unetPlayer) close() error {
	p.UNet.Close()
	return p.loaded.close()
}

// play computes the prediction as callers do, and the inner values with a
// program that keeps them.
func (p *unetPlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	v, s, err := c.floats("sample", 4)
	if err != nil {
		return nil, err
	}
	hidden, hs, err := c.floats("encoder_hidden_states", 3)
	if err != nil {
		return nil, err
	}
	if hs[0] != s[0] || s[1] != p.Config().In || hs[2] != p.Config().Context {
		return nil, fmt.Errorf("sample %v and encoder_hidden_states %v don't fit the model", s, hs)
	}
	times, err := c.times(s[0])
	if err != nil {
		return nil, err
	}
	x, n, H, W := toNHWC(v, s), s[0], s[2], s[3]
	if err := p.SetContext(ctx, hidden, n); err != nil {
		return nil, err
	}
	out := make([]float32, n*H*W*p.Config().Out)
	if err := p.Step(ctx, out, x, times, H, W); err != nil {
		return nil, err
	}
	got := map[string]array{"sample": picture(out, n, H, W, p.Config().Out)}
	kept := taps(c, nil, "sample")
	if len(kept) == 0 {
		return got, nil
	}
	program, err := p.Program(n, n, H, W, hs[1], kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("latent"), x)
	p.Sinusoids(program.F32("time"), times)
	return kept.run(ctx, program, got)
}

// times returns the timesteps of n samples: the case's own, or its only one for
// all.
func (c *testCase) times(n int) ([]float64, error) {
	t, err := c.input("timestep")
	if err != nil {
		return nil, err
	}
	v, err := t.Int64s()
	if err != nil {
		return nil, fmt.Errorf("input timestep: %w", err)
	}
	if len(v) != n && len(v) != 1 {
		return nil, fmt.Errorf("%d timesteps for %d samples", len(v), n)
	}
	times := make([]float64, n)
	for i := range times {
		times[i] = float64(v[i%len(v)])
	}
	return times, nil
}

// vaePlayer plays the cases of Stable Diffusion's autoencoder.
type vaePlayer struct {
	loaded
	*sd.VAE
}

func newVAE(config []byte) (any, error) {
	c, err := sd.ParseVAE(config)
	if err != nil {
		return nil, err
	}
	return sd.NewVAE(c), nil
}

func openVAE(s *suite, e *entry) (player, error) {
	p := &vaePlayer{}
	var err error
	p.loaded, err = s.load(e, newVAE, func(d graph.Device, config []byte, src weights.Source) (err error) {
		p.VAE, err = sd.LoadVAE(d, config, src)
		return err
	})
	return p, err
}

func (p *vaePlayer) close() error {
	p.VAE.Close()
	return p.loaded.close()
}

func (p *vaePlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	if _, ok := c.Inputs["image"]; ok {
		return p.encode(ctx, c)
	}
	z, s, err := p.pictures(c, "latent", p.Config().Latent)
	if err != nil {
		return nil, err
	}
	f, o := p.Factor(), p.Config().Out
	sample := make([]float32, s[0]*s[2]*f*s[3]*f*o)
	if err := p.Decode(ctx, sample, z, s[0], s[2], s[3]); err != nil {
		return nil, err
	}
	got := map[string]array{"sample": picture(sample, s[0], s[2]*f, s[3]*f, o)}
	kept := taps(c, nil, "sample")
	if len(kept) == 0 {
		return got, nil
	}
	program, err := p.DecodeProgram(s[0], s[2], s[3], kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("latent"), z)
	return kept.run(ctx, program, got)
}

func (p *vaePlayer) encode(ctx context.Context, c *testCase) (map[string]array, error) {
	x, s, err := p.pictures(c, "image", p.Config().In)
	if err != nil {
		return nil, err
	}
	h, w := p.Cells(s[2], s[3])
	l := p.Config().Latent
	mean, logvar := make([]float32, s[0]*h*w*l), make([]float32, s[0]*h*w*l)
	if err := p.Encode(ctx, mean, logvar, x, s[0], s[2], s[3]); err != nil {
		return nil, err
	}
	got := map[string]array{"mean": picture(mean, s[0], h, w, l), "logvar": picture(logvar, s[0], h, w, l)}
	kept := taps(c, nil, "mean", "logvar")
	if len(kept) == 0 {
		return got, nil
	}
	program, err := p.EncodeProgram(s[0], s[2], s[3], kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("image"), x)
	return kept.run(ctx, program, got)
}

// pictures returns an input [N,C,H,W] as [N,H,W,C], and its shape.
func (p *vaePlayer) pictures(c *testCase, name string, channels int) ([]float32, tensor.Shape, error) {
	v, s, err := c.floats(name, 4)
	if err == nil && s[1] != channels {
		err = fmt.Errorf("input %s has shape %v, the model takes %d channels", name, s, channels)
	}
	if err != nil {
		return nil, nil, err
	}
	return toNHWC(v, s), s, nil
}
