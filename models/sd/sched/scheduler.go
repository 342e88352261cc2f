package sched

import (
	"fmt"
	"math"
)

// Options say what a configuration doesn't.
type Options struct {
	// Eta is DDIM's share of fresh noise, 0 to 1; the other methods have none.
	Eta float64
	// Start leaves out so many of the first timesteps: image-to-image begins
	// with a picture that has noise added, see [Start].
	Start int
}

// Scheduler takes a latent from noise to picture, or a picture with noise added
// on the rest of that way.
//
// Every method is linear: the next latent is a sum of the present one, the
// model's output, fresh noise and kept tensors (the multistep methods' history),
// each times a coefficient of the step. The sums are taken in float64, so that
// they are the same on every processor.
//
// Concurrency: one trajectory at a time; a batch of pictures that take the same
// steps is one trajectory.
type Scheduler struct {
	steps     []step
	initSigma float64
	sigmas    []float64
	kept      int  // tensors of history
	noisy     bool // some step has noise

	next    int
	history [][]float32
	fresh   []float32 // noise
}

// step is one row of coefficients.
type step struct {
	timestep      float32
	scale         float64 // of the model's input
	signal, sigma float64 // of the picture and the noise in AddNoise
	toX, toEps    float64 // of the denoised estimate

	x, eps, noise float64
	clip, clipped float64 // the estimate's bound and its coefficient; no bound if 0
	read          []term
	write         []store
}

// term adds a kept tensor.
type term struct {
	slot int
	by   float64
}

// store sets a kept tensor to x·latent + eps·output + old·itself, after the step.
type store struct {
	slot        int
	x, eps, old float64
}

// New returns a scheduler for n steps.
//
// Errors: n or o out of range for the configuration.
func New(c Config, n int, o Options) (*Scheduler, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	if !(o.Eta >= 0 && o.Eta <= 1) || o.Eta > 0 && c.Method != DDIM {
		return nil, fmt.Errorf("scheduler: eta %g: it is 0 to 1 for ddim and 0 for the others", o.Eta)
	}
	s := &Scheduler{initSigma: 1}
	var err error
	switch c.Method {
	case DDIM:
		err = s.planDDIM(&c, n, o)
	case PNDM:
		err = s.planPNDM(&c, n, o)
	case Euler, EulerA:
		err = s.planEuler(&c, n)
	case DPM2M:
		err = s.planDPM(&c, n, o)
	}
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	if o.Start < 0 || o.Start >= len(s.steps) {
		return nil, fmt.Errorf("scheduler: start %d isn't within 0 to %d", o.Start, len(s.steps)-1)
	}
	s.steps = s.steps[o.Start:]
	if s.sigmas != nil {
		s.sigmas = s.sigmas[o.Start:]
	}
	for i := range s.steps {
		s.noisy = s.noisy || s.steps[i].noise != 0
		if !s.steps[i].finite() {
			return nil, fmt.Errorf("scheduler: %s with %d steps divides by zero at timestep %g; take fewer steps", c.Method, n, s.steps[i].timestep)
		}
	}
	return s, nil
}

func (s *step) finite() bool {
	sum := s.scale + s.signal + s.sigma + s.toX + s.toEps + s.x + s.eps + s.noise + s.clipped
	for _, r := range s.read {
		sum += r.by
	}
	for _, w := range s.write {
		sum += w.x + w.eps + w.old
	}
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// Start returns the Options.Start of image-to-image: strength 1 takes all n
// steps, 0 takes none, which no scheduler can be made for.
// Source: diffusers StableDiffusionImg2ImgPipeline.get_timesteps.
func Start(n int, strength float64) int {
	return max(n-min(int(float64(n)*strength), n), 0)
}

// Timesteps returns what the model is told at each step. There may be more than
// New was asked for: PNDM has one more, or nine with Runge-Kutta steps.
func (s *Scheduler) Timesteps() []float32 {
	out := make([]float32, len(s.steps))
	for i := range out {
		out[i] = s.steps[i].timestep
	}
	return out
}

// Steps returns the number of steps.
func (s *Scheduler) Steps() int { return len(s.steps) }

// Timestep returns what the model is told at step i.
func (s *Scheduler) Timestep(i int) float32 { return s.steps[i].timestep }

// Sigmas returns the noise level before each step and after the last, of the
// methods that work on levels (Euler, Euler ancestral, DPM-Solver++), else nil.
func (s *Scheduler) Sigmas() []float64 { return s.sigmas }

// InitSigma is what the first noise is multiplied by to become the latent.
func (s *Scheduler) InitSigma() float64 { return s.initSigma }

// Noisy reports whether Step needs a noise source.
func (s *Scheduler) Noisy() bool { return s.noisy }

// ScaleInput sets dst to what the model reads at step i for the latent x.
// Panics: lengths that differ. Aliasing: dst may be x.
func (s *Scheduler) ScaleInput(dst, x []float32, i int) {
	same(len(dst), len(x))
	by := s.steps[i].scale
	for k, v := range x {
		dst[k] = float32(float64(v) * by)
	}
}

// AddNoise sets dst to the latent before step i of the picture x0: what
// image-to-image begins with, at i = 0.
// Panics: lengths that differ. Aliasing: dst may be x0 or noise.
func (s *Scheduler) AddNoise(dst, x0, noise []float32, i int) {
	mix(dst, x0, noise, s.steps[i].signal, s.steps[i].sigma)
}

// Denoised sets dst to the picture that the model's output eps for the latent x
// at step i amounts to, were it the last word: a preview.
// Panics: lengths that differ. Aliasing: dst may be x or eps.
func (s *Scheduler) Denoised(dst, x, eps []float32, i int) {
	mix(dst, x, eps, s.steps[i].toX, s.steps[i].toEps)
}

// AddNoise sets dst to √ᾱ·x0 + √(1-ᾱ)·noise, the forward process at a timestep
// of that [Config.AlphasCumprod].
// Panics: lengths that differ. Aliasing: dst may be x0 or noise.
func AddNoise(dst, x0, noise []float32, alpha float64) {
	mix(dst, x0, noise, math.Sqrt(alpha), math.Sqrt(1-alpha))
}

// Guide sets dst to uncond + scale·(cond-uncond): classifier-free guidance, in
// float32 as PyTorch computes it.
// Panics: lengths that differ. Aliasing: dst may be either.
// Source: Ho and Salimans, "Classifier-Free Diffusion Guidance"; diffusers'
// guidance_scale, where 1 is no guidance.
func Guide(dst, uncond, cond []float32, scale float32) {
	same(len(dst), len(uncond))
	same(len(dst), len(cond))
	for k, u := range uncond {
		dst[k] = u + float32(scale*(cond[k]-u))
	}
}

// Step moves the latent x over step i, given the model's output for it: noise or
// velocity, as the configuration's prediction_type says. Step 0 begins a new
// trajectory. noise is asked for len(x) values at every step of a method that
// has noise, as diffusers does, also where they count for nothing; it may be nil
// for the others.
//
// Panics: lengths that differ; an i that is neither 0 nor follows the last.
// Aliasing: eps mustn't be x.
// Allocs: none after step 0 of the first trajectory of a length.
func (s *Scheduler) Step(x, eps []float32, i int, noise Source) {
	same(len(x), len(eps))
	if i != 0 && i != s.next {
		panic(fmt.Sprintf("sched: step %d after step %d", i, s.next-1))
	}
	p := &s.steps[i]
	s.reserve(len(x), i)
	if s.noisy {
		noise.Fill(s.fresh)
	}
	for k, v := range x {
		xk, ek := float64(v), float64(eps[k])
		sum := float64(p.x*xk) + float64(p.eps*ek)
		if p.clip > 0 {
			x0 := float64(p.toX*xk) + float64(p.toEps*ek)
			sum += float64(p.clipped * min(max(x0, -p.clip), p.clip))
		}
		for _, r := range p.read {
			sum += float64(r.by * float64(s.history[r.slot][k]))
		}
		if p.noise != 0 {
			sum += float64(p.noise * float64(s.fresh[k]))
		}
		for _, w := range p.write {
			value := float64(w.x*xk) + float64(w.eps*ek)
			if w.old != 0 {
				value += float64(w.old * float64(s.history[w.slot][k]))
			}
			s.history[w.slot][k] = float32(value)
		}
		x[k] = float32(sum)
	}
	s.next = i + 1
}

// reserve makes the history and the noise of n elements.
func (s *Scheduler) reserve(n, i int) {
	if s.history == nil {
		s.history = make([][]float32, s.kept)
	}
	for slot := range s.history {
		if i == 0 && len(s.history[slot]) != n {
			s.history[slot] = make([]float32, n)
		}
		same(len(s.history[slot]), n)
	}
	if s.noisy && len(s.fresh) != n {
		s.fresh = make([]float32, n)
	}
}

// mix sets dst to p·a + q·b.
func mix(dst, a, b []float32, p, q float64) {
	same(len(dst), len(a))
	same(len(dst), len(b))
	for k, v := range a {
		dst[k] = float32(float64(p*float64(v)) + float64(q*float64(b[k])))
	}
}

func same(a, b int) {
	if a != b {
		panic(fmt.Sprintf("sched: lengths %d and %d differ", a, b))
	}
}
