package sched

import (
	"fmt"
	"math"

	"syntic/kernels/ref"
)

// Options say what a configuration doesn't.
type Options struct {
	// Eta is DDIM's share of fresh noise, 0 to 1; the other methods have none.
	Eta float64
	// Start leaves out so many of the first timesteps: image-to-image begins
	// with a picture that has noise added, see [Start].
	Start int
}

// Scheduler is the way of a latent from noise to picture, or of a picture with noise
// added on the rest of that way: per step, what the model is told and how the
// latent moves.
//
// Every method is linear: the next latent is a sum of the present one, the
// model's output, fresh noise and kept tensors (the multistep methods' history),
// each times a coefficient of the step. So a step is a [ref.Multistep], which
// devices run (graph.Builder.Multistep).
//
// Concurrency: any; it doesn't change.
type Scheduler struct {
	steps     []step
	initSigma float64
	sigmas    []float64
	tensors   int
	noisy     bool // some step has noise
}

// The tensors of a trajectory: the latent, the estimate of its end that the last
// step made, and from kept on what a method keeps beside.
const (
	latent = iota
	estimate
	kept
)

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
	row           *ref.Multistep // all of this, and the next step's scale
}

// term adds a tensor as it was before the step.
type term struct {
	tensor int
	by     float64
}

// store sets a kept tensor to x·latent + eps·output + terms; the others stay.
type store struct {
	tensor int
	x, eps float64
	read   []term
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
	s := &Scheduler{initSigma: 1, tensors: kept}
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
		s.steps[i].row = s.row(i)
	}
	return s, nil
}

func (s *step) finite() bool {
	sum := s.scale + s.signal + s.sigma + s.toX + s.toEps + s.x + s.eps + s.noise + s.clipped
	for _, r := range s.read {
		sum += r.by
	}
	for _, w := range s.write {
		sum += w.x + w.eps
	}
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// row writes step i as the coefficients of a device's operation.
func (s *Scheduler) row(i int) *ref.Multistep {
	p, m := &s.steps[i], ref.NewMultistep(s.tensors)
	m.Scale = s.steps[min(i+1, len(s.steps)-1)].scale // the last one's input is never read
	m.Estimate = [2]float64{p.toX, p.toEps}
	if p.clip > 0 {
		m.Limit = p.clip
	}
	const output, end = 1, 2 // columns: the latent, the model's output, the estimate, older tensors, noise
	fill := func(tensor int, x, eps float64, read []term) {
		row := m.Next[tensor]
		clear(row)
		row[latent], row[output] = x, eps
		for _, r := range read {
			row[end+r.tensor] = r.by
		}
	}
	fill(latent, p.x, p.eps, p.read)
	m.Next[latent][end], m.Next[latent][end+s.tensors] = p.clipped, p.noise
	m.Next[estimate][end] = 1
	for tensor := kept; tensor < s.tensors; tensor++ {
		fill(tensor, 0, 0, []term{{tensor, 1}})
	}
	for _, w := range p.write {
		fill(w.tensor, w.x, w.eps, w.read)
	}
	return m
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

// Noisy reports whether a trajectory takes noise: at every step, as diffusers
// draws it, also where it counts for nothing.
func (s *Scheduler) Noisy() bool { return s.noisy }

// Tensors returns how many tensors of the latent's size a trajectory has: the
// latent, the picture that the last step's prediction amounts to were it the last
// word, and what the method keeps.
func (s *Scheduler) Tensors() int { return s.tensors }

// Scale returns what the latent before step i is multiplied by for the model.
func (s *Scheduler) Scale(i int) float64 { return s.steps[i].scale }

// Row returns step i, without guidance: how the tensors change, and the scale of
// what the model reads next. Its noise may be left out unless Noisy. Don't modify
// it.
func (s *Scheduler) Row(i int) *ref.Multistep { return s.steps[i].row }

// AddNoise sets dst to the latent before step i of the picture x0: what
// image-to-image begins with, at i = 0.
// Panics: lengths that differ. Aliasing: dst may be x0 or noise.
func (s *Scheduler) AddNoise(dst, x0, noise []float32, i int) {
	mix(dst, x0, noise, s.steps[i].signal, s.steps[i].sigma)
}

// AddNoise sets dst to √ᾱ·x0 + √(1-ᾱ)·noise, the forward process at a timestep
// of that [Config.AlphasCumprod].
// Panics: lengths that differ. Aliasing: dst may be x0 or noise.
func AddNoise(dst, x0, noise []float32, alpha float64) {
	mix(dst, x0, noise, math.Sqrt(alpha), math.Sqrt(1-alpha))
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
