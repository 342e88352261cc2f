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

	p      *Pipeline
	key    unetKey // of the steps
	n      int     // pictures
	h, w   int     // cells of a latent
	sched  *sched.Scheduler
	solver *solver // its latents on the device
	noise  *noises
	at     int   // steps taken
	err    error // that ended the drawing

	// The latents and the last step's estimate of their end, [n,h,w,C], as they were
	// after so many steps; later ones are on the device alone.
	x, end []float32
	known  int
}

// Start encodes the prompts and draws the first noise. A picture depends on its
// prompt and the settings alone, not on the others of its batch.
//
// It ends any other drawing of the pipeline.
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
	d := &Drawing{Settings: s, p: p, n: len(prompts)}
	if d.sched, err = p.scheduler(s); err != nil {
		return nil, err
	}
	d.key = p.stepKey(d.n, s, d.sched)
	d.h, d.w = d.key.h, d.key.w
	c := p.UNet.cfg.In
	of := make([]*noise, len(prompts))
	for i, q := range prompts {
		of[i] = newNoise(q.Seed, s.Torch, c)
	}
	d.noise = newNoises(p.pool, of)
	d.x = make([]float32, d.n*d.h*d.w*c)
	d.end = make([]float32, len(d.x))
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	if err := d.encode(ctx, prompts); err != nil {
		return nil, err
	}
	return d, d.load(ctx)
}

// load gives the device the latents.
func (d *Drawing) load(ctx context.Context) (err error) {
	d.solver, err = d.p.UNet.begin(ctx, d.key, d.x, d.sched.Scale(0))
	return err
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

// Step takes the next step, on the device from end to end: the latents stay there
// until they are asked for. An error ends the drawing.
//
// Errors: ctx's; a prediction or latent that isn't finite. Allocs: none after the
// first step.
func (d *Drawing) Step(ctx context.Context) error {
	if d.err != nil {
		return d.err
	}
	row := *d.sched.Row(d.at)
	row.Guidance = float32(d.Guidance)
	prediction, latents, err := d.p.UNet.advance(ctx, d.solver, &row, float64(d.sched.Timestep(d.at)), d.noise)
	d.at++
	if d.err = err; err != nil {
		return err
	}
	bad := faulty("the UNet", prediction, d.key.batch/d.n*len(d.x))
	if bad == nil {
		bad = faulty("the scheduler", latents, len(d.x))
	}
	if bad != nil {
		d.err = fmt.Errorf("step %d of %d: %w", d.at, d.Steps(), bad)
	}
	return d.err
}

// Latents returns the latents, [N,h,w,C]; the next call may change them.
//
// Errors: ctx's; the one that ended the drawing.
func (d *Drawing) Latents(ctx context.Context) ([]float32, error) {
	if d.err != nil || d.known == d.at {
		return d.x, d.err
	}
	if err := d.p.UNet.latents(ctx, d.solver, d.x, d.end); err != nil {
		return nil, err
	}
	d.known = d.at
	return d.x, nil
}

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
