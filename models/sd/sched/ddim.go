package sched

import "math"

// table gives ᾱ at timesteps beyond both ends: 1 or ᾱ_0 before the first, and
// the last one after it.
type table struct {
	alphas []float64
	final  float64
}

func (c *Config) table() table {
	t := table{alphas: c.AlphasCumprod()}
	t.final = t.alphas[0]
	if c.AlphaToOne {
		t.final = 1
	}
	return t
}

func (t *table) at(timestep int) float64 {
	if timestep < 0 {
		return t.final
	}
	return t.alphas[min(timestep, len(t.alphas)-1)]
}

// begin returns a step at ᾱ = a with the coefficients that don't depend on the
// method: of the forward process and of the denoised estimate.
func (c *Config) begin(timestep, a float64) step {
	signal, sigma := math.Sqrt(a), math.Sqrt(1-a)
	s := step{timestep: float32(min(timestep, float64(c.TrainSteps-1))), scale: 1, signal: signal, sigma: sigma}
	if c.Prediction == VPrediction {
		s.toX, s.toEps = signal, -sigma
	} else {
		s.toX, s.toEps = 1/signal, -sigma/signal
	}
	return s
}

// noiseOf returns the coefficients of the latent and of the model's output in
// the noise that the output predicts.
func (c *Config) noiseOf(s *step) (x, eps float64) {
	if c.Prediction == VPrediction {
		return s.sigma, s.signal
	}
	return 0, 1
}

// planDDIM fills the steps of denoising diffusion implicit models.
// Source: Song et al., "Denoising Diffusion Implicit Models", equations 12 and
// 16; diffusers DDIMScheduler, whose previous timestep is t - T/n whatever the
// spacing.
func (s *Scheduler) planDDIM(c *Config, n int, o Options) error {
	timesteps, err := c.timesteps(n)
	if err != nil {
		return err
	}
	alphas := c.table()
	for _, t := range timesteps {
		a, prev := alphas.at(int(t)), alphas.at(int(t)-c.TrainSteps/n)
		p := c.begin(t, a)
		deviation := o.Eta * math.Sqrt((1-prev)/(1-a)*(1-a/prev))
		toward := math.Sqrt(max(1-prev-deviation*deviation, 0))
		x, eps := c.noiseOf(&p)
		p.x, p.eps, p.noise = toward*x, toward*eps, deviation
		if c.ClipSample {
			p.clip, p.clipped = c.ClipRange, math.Sqrt(prev)
		} else {
			p.x += math.Sqrt(prev) * p.toX
			p.eps += math.Sqrt(prev) * p.toEps
		}
		s.steps = append(s.steps, p)
	}
	return nil
}
