package bench

import (
	"context"
	"errors"
	"fmt"

	"syntic/models/clip"
	"syntic/models/decoder"
	"syntic/models/detr"
	"syntic/models/sd"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// The published models; what a configuration leaves out is as published.
const (
	clipConfig    = `{}`
	detrConfig    = `{}`
	decoderConfig = `{"n_positions": 77}`
)

const (
	detrH, detrW = 800, 1066
	feature      = 512 // CLIP's feature, from which the decoder's prefix is made
	greedyTokens = 20
	seed         = 1 // of the synthetic weights
)

func prepareModel(ctx context.Context, d graph.Device, w Work) (*job, error) {
	switch w.Model {
	case "clip_vision", "clip_text":
		return prepareCLIP(d, w, clipConfig)
	case "detr":
		return prepareDETR(d, w, detrConfig, detrH, detrW)
	case "unet", "unet_guided":
		return prepareUNet(ctx, d, w, sd.V1UNet, latent)
	case "vae_decoder":
		return prepareVAE(d, w, sd.V1VAE, latent)
	case "image":
		return prepareImage(d, w)
	}
	return nil, fmt.Errorf("the model %q isn't built yet; clip_vision, clip_text, detr, unet, unet_guided, vae_decoder and image are", w.Model)
}

// prepareCLIP encodes pictures or texts as captioning does.
func prepareCLIP(d graph.Device, w Work, config string) (*job, error) {
	c, err := clip.ParseConfig([]byte(config))
	if err != nil {
		return nil, err
	}
	src := weights.Synthetic(seed, nn.List(clip.New(c), ""))
	m, err := clip.Load(d, []byte(config), src)
	if err != nil {
		return nil, err
	}
	r := random()
	features := make([]float32, w.Bt*c.Projection)
	j := &job{free: func() error { return errors.Join(m.Close(), src.Close()) }}
	if w.Model == "clip_vision" {
		p, err := m.ImageProgram(w.Bt) // weights are packed now, as peers load theirs
		if err != nil {
			return nil, err
		}
		fill(r, p.F32("pixel_values")) // where the program reads them, as peers' lie
		j.run = p.Run
		return j, nil
	}
	if w.Len < 2 || w.Len > c.Text.Positions {
		return nil, fmt.Errorf("model workload %q: texts of %d tokens; 2 to %d are possible", w.Name, w.Len, c.Text.Positions)
	}
	texts := make([][]int32, w.Bt)
	for i := range texts {
		texts[i] = make([]int32, w.Len)
		for k := range texts[i] {
			texts[i][k] = int32(r.IntN(c.Text.Vocab - 2))
		}
		texts[i][0], texts[i][w.Len-1] = int32(c.Text.Vocab-2), int32(c.Text.EOS)
	}
	j.run = func(ctx context.Context) error { return m.TextFeatures(ctx, features, texts) }
	_, err = m.TextProgram(w.Bt, w.Len)
	return j, err
}

// prepareDETR detects objects in whole pictures.
func prepareDETR(d graph.Device, w Work, config string, height, width int) (*job, error) {
	c, err := detr.ParseConfig([]byte(config))
	if err != nil {
		return nil, err
	}
	src := weights.Synthetic(seed, nn.List(detr.New(c), ""))
	m, err := detr.Load(d, []byte(config), src)
	if err != nil {
		return nil, err
	}
	p, err := m.Program(w.Bt, height, width, false)
	if err != nil {
		return nil, err
	}
	fill(random(), p.F32("pixel_values"))
	return &job{run: p.Run, free: func() error { return errors.Join(m.Close(), src.Close()) }}, nil
}

// captioner is a language model and the projection of a CLIP feature to its
// prefix.
type captioner struct {
	Decoder *decoder.Model `w:"decoder"`
	Project *nn.Linear     `w:"clip_project.model.0"`
}

// prepareGreedy writes texts of a fixed length from one feature each.
func prepareGreedy(ctx context.Context, d graph.Device, w Work, config string) (*job, error) {
	c, err := decoder.ParseConfig([]byte(config))
	if err != nil {
		return nil, err
	}
	m := &captioner{decoder.New(d, c), nn.NewLinear(feature, c.Width, true)}
	src := weights.Synthetic(seed, nn.List(m, ""))
	if err := nn.Load(m, "", src); err != nil {
		return nil, err
	}
	prefix, err := graph.Build(d, func(b *graph.Builder) {
		b.Output("prefix", m.Project.Forward(b, b.Input("features", w.Bt, feature), graph.LinearOpts{}))
	})
	if err != nil {
		return nil, err
	}
	copy(prefix.F32("features"), normal(random(), w.Bt*feature))
	j := &job{free: func() error { return errors.Join(m.Decoder.Close(), prefix.Close(), src.Close()) }}
	j.run = func(ctx context.Context) error {
		if err := prefix.Run(ctx); err != nil {
			return err
		}
		_, err := m.Decoder.Generate(ctx, prefix.F32("prefix"), w.Bt, 1, decoder.Options{Max: greedyTokens, EOS: -1})
		return err
	}
	return j, j.run(ctx) // the decoder packs its weights when it first runs
}
