package sd

import (
	"context"
	"fmt"
	"math"

	"syntic/models/sd/sched"
	"syntic/models/vision"
)

// maxBatch bounds the pictures of one drawing.
const maxBatch = 64

// Drawing is a batch of pictures on the way from noise to picture.
//
// Concurrency: none; it uses its Pipeline.
type Drawing struct {
	Settings // complete: sizes filled in

	// Cut counts the prompts that were too long for the text encoder; what lies
	// past its last token doesn't count.
	Cut int

	p     *Pipeline
	n     int // pictures
	h, w  int // cells of a latent
	sched *sched.Scheduler
	noise *noises
	at    int // steps taken

	x, last []float32 // [n,h,w,C] the latents now and before the last step
	in, eps []float32 // the UNet's side: with guidance [2n,h,w,C], unconditional first
	times   []float64
	guided  bool
}

// Start encodes the prompts and draws the first noise. A picture depends on its
// prompt and the settings alone, not on the others of its batch.
//
// Errors: settings that are out of range or don't fit the model; rows of the
// text encoder that aren't finite.
func (p *Pipeline) Start(ctx context.Context, prompts []Prompt, s Settings) (*Drawing, error) {
	if len(prompts) < 1 || len(prompts) > maxBatch {
		return nil, fmt.Errorf("%d pictures at once: must lie between 1 and %d", len(prompts), maxBatch)
	}
	s, err := p.Complete(s)
	if err != nil {
		return nil, err
	}
	d := &Drawing{Settings: s, p: p, n: len(prompts), guided: s.Guidance > 1}
	if d.sched, err = p.scheduler(s); err != nil {
		return nil, err
	}
	d.h, d.w = p.VAE.Cells(s.Height, s.Width)
	c := p.UNet.cfg.In
	of := make([]*noise, len(prompts))
	for i, q := range prompts {
		of[i] = newNoise(q.Seed, s.Torch, c)
	}
	d.noise = newNoises(p.pool, of)
	halves := 1
	if d.guided {
		halves = 2
	}
	d.x = make([]float32, d.n*d.h*d.w*c)
	d.last = make([]float32, len(d.x))
	d.in, d.eps = make([]float32, halves*len(d.x)), make([]float32, halves*len(d.x))
	d.times = make([]float64, halves*d.n)
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	return d, d.encode(ctx, prompts)
}

// begin fills the latents: with noise, or with the init picture under noise.
func (d *Drawing) begin(ctx context.Context) error {
	if d.Init == nil {
		d.noise.Fill(d.x)
		scale := float32(d.sched.InitSigma())
		for i := range d.x {
			d.x[i] *= scale
		}
		return nil
	}
	if err := d.encodeInit(ctx); err != nil {
		return err
	}
	fresh := make([]float32, len(d.x))
	d.noise.Fill(fresh)
	d.sched.AddNoise(d.x, d.x, fresh, 0)
	return nil
}

// encodeInit samples every picture's latent from the init picture's distribution.
// Source: diffusers StableDiffusionImg2ImgPipeline.prepare_latents.
func (d *Drawing) encodeInit(ctx context.Context) error {
	v, part := d.p.VAE, len(d.x)/d.n
	pixels := make([]float32, d.Height*d.Width*3)
	for i, b := range cover(d.Init, d.Width, d.Height).Pix {
		pixels[i] = float32(b)/127.5 - 1
	}
	mean, logvar := make([]float32, part), make([]float32, part)
	if err := v.Encode(ctx, mean, logvar, pixels, 1, d.Height, d.Width); err != nil {
		return err
	}
	if err := finite("the autoencoder's encoder", mean, logvar); err != nil {
		return err
	}
	if err := d.p.release(v); err != nil {
		return err
	}
	d.noise.Fill(d.x)
	for i, e := range d.x {
		j := i % part
		z := float64(mean[j]) + math.Exp(0.5*float64(logvar[j]))*float64(e)
		d.x[i] = float32((z - v.cfg.Shift) * v.cfg.Scale)
	}
	return nil
}

// cover returns the picture scaled to cover w×h, its middle.
func cover(p *vision.Picture, w, h int) *vision.Picture {
	c := vision.Config{Resize: true, Filter: vision.Lanczos, Crop: true, CropW: w, CropH: h}
	if p.W*h < p.H*w {
		c.Width, c.Height = w, (p.H*w+p.W/2)/p.W
	} else {
		c.Width, c.Height = (p.W*h+p.H/2)/p.H, h
	}
	return c.Pixels(p, nil)
}

// Steps returns the number of steps in all: PNDM takes one more than asked for,
// and Strength leaves some out.
func (d *Drawing) Steps() int { return d.sched.Steps() }

// Step takes the next step.
//
// Errors: ctx's; a prediction or latent that isn't finite. Allocs: none after the
// first step.
func (d *Drawing) Step(ctx context.Context) error {
	t := float64(d.sched.Timestep(d.at))
	for i := range d.times {
		d.times[i] = t
	}
	d.sched.ScaleInput(d.in[:len(d.x)], d.x, d.at)
	if d.guided {
		copy(d.in[len(d.x):], d.in[:len(d.x)])
	}
	if err := d.p.UNet.Step(ctx, d.eps, d.in, d.times, d.h, d.w); err != nil {
		return err
	}
	if err := finite("the UNet", d.eps); err != nil {
		return fmt.Errorf("step %d of %d: %w", d.at+1, d.Steps(), err)
	}
	eps := d.eps[:len(d.x)]
	if d.guided {
		sched.Guide(eps, eps, d.eps[len(d.x):], float32(d.Guidance))
	}
	copy(d.last, d.x)
	d.sched.Step(d.x, eps, d.at, d.noise)
	if err := finite("the scheduler", d.x); err != nil {
		return fmt.Errorf("step %d of %d: %w", d.at+1, d.Steps(), err)
	}
	d.at++
	return nil
}

// Latents returns the latents, [N,h,w,C]; the next step changes them.
func (d *Drawing) Latents() []float32 { return d.x }

// Cells returns the latents' height and width.
func (d *Drawing) Cells() (h, w int) { return d.h, d.w }

// Draw takes every step of the prompts' pictures and decodes them. each, if not
// nil, is called after every step.
func (p *Pipeline) Draw(ctx context.Context, prompts []Prompt, s Settings, each func(step, of int)) ([]*vision.Picture, error) {
	d, err := p.Start(ctx, prompts, s)
	if err != nil {
		return nil, err
	}
	for i := range d.Steps() {
		if err := d.Step(ctx); err != nil {
			return nil, err
		}
		if each != nil {
			each(i+1, d.Steps())
		}
	}
	return d.Pictures(ctx)
}
