package sd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"syntic/kernels/par"
	"syntic/models/clip"
	"syntic/models/sd/sched"
	"syntic/models/token"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Pipeline draws pictures from texts: the text encoder, the UNet, the
// autoencoder, their tokenizer and the scheduler's configuration.
//
// Concurrency: one call at a time, and one Drawing at a time.
type Pipeline struct {
	Text *clip.TextModel
	UNet *UNet
	VAE  *VAE

	// Lean frees each tower's weights once its stage is done and packs them again
	// for the next drawing: see Resident for what that saves.
	Lean bool

	dev     graph.Device
	pool    *par.Pool // for what the host does
	tokens  *token.Tokenizer
	sched   []byte // scheduler_config.json
	sources []weights.Source
	known   map[string][]float32 // rows of texts encoded before
}

// The configurations of Stable Diffusion v1, for checkpoints that carry none, as
// those in one file don't. What they leave out is diffusers' default.
// Source: huggingface.co stable-diffusion-v1-5, */config.json and
// scheduler/scheduler_config.json.
const (
	V1Text = `{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}`
	V1UNet = `{"cross_attention_dim": 768, "sample_size": 64}`
	V1VAE  = `{"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
		"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
		"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}`
	V1Scheduler = `{"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
		"set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1}`
)

// part is one tower's files.
type part struct {
	config []byte
	src    weights.Source
	where  string // for messages
}

// Load opens a model in diffusers' layout: dir/sd of a model directory, or dir
// itself. Weights may be of any published kind: fp32, the fp16 variant, in
// shards, or PyTorch's.
//
// Errors: name the part and the file.
func Load(d graph.Device, dir weights.Dir) (*Pipeline, error) {
	const holds = "unet/, vae/, text_encoder/, tokenizer/ and scheduler/"
	if err := dir.Check(holds); err != nil {
		return nil, err
	}
	if sub := dir.Sub("sd"); sub.Has("unet/config.json") {
		dir = sub
	}
	if !dir.Has("unet/config.json") {
		return nil, fmt.Errorf("%s: neither sd/unet/config.json nor unet/config.json is there; a model that draws is a directory with %s, or one .safetensors or .ckpt file", dir, holds)
	}
	p := &Pipeline{dev: d}
	open := func(name, family string) (t part, err error) {
		sub := dir.Sub(name)
		if t.config, err = sub.Read("config.json"); err != nil {
			return t, err
		}
		t.where = sub.String()
		t.src, err = sub.Weights("", family)
		p.sources = append(p.sources, t.src)
		return t, err
	}
	err := p.load(d, open, func() error { return p.loadRest(dir) })
	return p.opened(err)
}

// LoadFile opens a v1 checkpoint in one file, .safetensors or .ckpt. The
// tokenizer is the one in a folder tokenizer beside it, where there is one, else
// CLIP's own.
func LoadFile(d graph.Device, path string) (*Pipeline, error) {
	src, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{dev: d, sources: []weights.Source{src}}
	if family, _ := weights.Detect(src); family != weights.FamilySD {
		if family == "" {
			family = "unknown model"
		}
		return p.opened(fmt.Errorf("%s holds a %s, not a whole Stable Diffusion v1 checkpoint; for single parts give the directory that they lie in", path, family))
	}
	open := func(family string) (weights.Source, string) { return weights.Canonical(src, family), path }
	return p.opened(p.loadV1(d, open, func() (*token.Tokenizer, error) {
		beside := filepath.Join(filepath.Dir(path), "tokenizer")
		if _, err := os.Stat(beside); err != nil {
			return token.CLIP(token.Options{Clean: token.HF})
		}
		return token.Load(beside, token.Options{Clean: token.HF})
	}))
}

// Synthetic returns a v1 model of synthetic weights, which draws nothing that
// anybody knows: for measuring.
func Synthetic(d graph.Device, seed uint64) (*Pipeline, error) {
	p := &Pipeline{dev: d}
	open := func(family string) (weights.Source, string) {
		var tower any
		switch family {
		case weights.FamilyText:
			c, _ := clip.ParseText([]byte(V1Text))
			tower = clip.NewText(c)
		case weights.FamilyUNet:
			c, _ := ParseUNet([]byte(V1UNet))
			tower = NewUNet(c)
		case weights.FamilyVAE:
			c, _ := ParseVAE([]byte(V1VAE))
			tower = NewVAE(c)
		}
		src := weights.Synthetic(seed, nn.List(tower, ""))
		p.sources = append(p.sources, src)
		return src, "synthetic weights"
	}
	return p.opened(p.loadV1(d, open, func() (*token.Tokenizer, error) { return token.CLIP(token.Options{Clean: token.HF}) }))
}

// loadV1 opens a model of v1's configurations; open gives a tower's weights and
// where they lie.
func (p *Pipeline) loadV1(d graph.Device, open func(family string) (weights.Source, string), tokens func() (*token.Tokenizer, error)) error {
	configs := map[string]string{weights.FamilyText: V1Text, weights.FamilyUNet: V1UNet, weights.FamilyVAE: V1VAE}
	tower := func(_, family string) (part, error) {
		src, where := open(family)
		return part{[]byte(configs[family]), src, where}, nil
	}
	return p.load(d, tower, func() (err error) {
		p.sched = []byte(V1Scheduler)
		p.tokens, err = tokens()
		return err
	})
}

// opened closes what a failed load has opened.
func (p *Pipeline) opened(err error) (*Pipeline, error) {
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// load opens the towers, then the rest, and checks that they fit.
func (p *Pipeline) load(d graph.Device, open func(name, family string) (part, error), rest func() error) error {
	p.known = map[string][]float32{}
	workers := runtime.GOMAXPROCS(0)
	if c, ok := d.(interface{ Threads() int }); ok { // as many as were asked for
		workers = c.Threads()
	}
	p.pool = par.New(workers)
	for _, tower := range []struct {
		name, family string
		load         func(t part) error
	}{
		{"text_encoder", weights.FamilyText, func(t part) (err error) { p.Text, err = clip.LoadText(d, t.config, t.src); return err }},
		{"unet", weights.FamilyUNet, func(t part) (err error) { p.UNet, err = LoadUNet(d, t.config, t.src); return err }},
		{"vae", weights.FamilyVAE, func(t part) (err error) { p.VAE, err = LoadVAE(d, t.config, t.src); return err }},
	} {
		t, err := open(tower.name, tower.family)
		if err != nil {
			return err
		}
		if err := tower.load(t); err != nil {
			return fmt.Errorf("%s: %w", t.where, err)
		}
	}
	if err := rest(); err != nil {
		return err
	}
	return p.fit()
}

// loadRest reads the tokenizer and the scheduler's configuration.
func (p *Pipeline) loadRest(dir weights.Dir) error {
	sub := dir.Sub("tokenizer")
	files, err := sub.FS()
	if err != nil {
		return err
	}
	if p.tokens, err = token.LoadFS(files, sub.String(), token.Options{Clean: token.HF}); err != nil {
		return err
	}
	if p.sched, err = dir.Sub("scheduler").Read("scheduler_config.json"); err != nil {
		return err
	}
	if _, err := sched.ParseConfig(p.sched, ""); err != nil {
		return fmt.Errorf("%s: %w", dir.Sub("scheduler"), err)
	}
	return nil
}

// fit checks that the parts belong together.
func (p *Pipeline) fit() error {
	text, unet, vae := p.Text.Config(), p.UNet.Config(), p.VAE.Config()
	switch {
	case p.tokens.VocabSize() > text.Vocab:
		return fmt.Errorf("the tokenizer has %d tokens, the text encoder %d; they belong to different models", p.tokens.VocabSize(), text.Vocab)
	case text.Hidden != unet.Context:
		return fmt.Errorf("the text encoder's rows have %d values, the UNet reads %d (cross_attention_dim); they belong to different models", text.Hidden, unet.Context)
	case unet.In != unet.Out:
		return fmt.Errorf("the UNet reads %d channels and predicts %d; only text-to-image UNets can draw", unet.In, unet.Out)
	case unet.In != vae.Latent:
		return fmt.Errorf("the UNet's latents have %d channels, the autoencoder's %d; they belong to different models", unet.In, vae.Latent)
	case vae.In != 3 || vae.Out != 3:
		return fmt.Errorf("the autoencoder's pictures have %d and %d channels, not 3", vae.In, vae.Out)
	}
	return nil
}

// Fingerprint returns a hash of everything that a picture depends on beside its
// prompt, seed and settings. It reads the checkpoints once, whole.
func (p *Pipeline) Fingerprint() (string, error) {
	sum, err := weights.Fingerprint(p.sources...)
	if err != nil {
		return "", err
	}
	ids := p.tokens.Encode("the quick brown fox, 1234567890: jumps over a lazy dog!")
	all := sha256.Sum256(fmt.Appendf(nil, "%s %s %v %v %v", sum, p.sched, p.UNet.cfg, p.VAE.cfg, ids))
	return hex.EncodeToString(all[:]), nil
}

// Close frees the programs and closes the checkpoints.
func (p *Pipeline) Close() error {
	if p.pool != nil {
		p.pool.Close()
	}
	var errs []error
	if p.Text != nil {
		errs = append(errs, p.Text.Close())
	}
	if p.UNet != nil {
		errs = append(errs, p.UNet.Close())
	}
	if p.VAE != nil {
		errs = append(errs, p.VAE.Close())
	}
	for _, s := range p.sources {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}
