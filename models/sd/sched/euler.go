package sched

import (
	"math"
	"slices"
)

// beginAt returns a step at a noise level σ of a latent x0 + σ·noise, which the
// model reads divided by √(σ²+1).
func (c *Config) beginAt(timestep, sigma float64) step {
	norm := math.Sqrt(sigma*sigma + 1)
	s := step{timestep: float32(min(timestep, float64(c.TrainSteps-1))), scale: 1 / norm, signal: 1, sigma: sigma, toX: 1, toEps: -sigma}
	if c.Prediction == VPrediction {
		s.toX, s.toEps = 1/(norm*norm), -sigma/norm
	}
	return s
}

// planEuler fills the steps of Euler's method, ancestral or not.
// Source: Karras et al., algorithm 2 without churn; Crowson's k-diffusion
// sample_euler_ancestral; diffusers EulerDiscreteScheduler and
// EulerAncestralDiscreteScheduler.
func (s *Scheduler) planEuler(c *Config, n int) error {
	timesteps, sigmas, err := c.levels(n)
	if err != nil {
		return err
	}
	s.sigmas = sigmas
	s.initSigma = slices.Max(sigmas)
	if c.Spacing == Leading {
		s.initSigma = math.Sqrt(s.initSigma*s.initSigma + 1)
	}
	for i, t := range timesteps {
		from, to := sigmas[i], sigmas[i+1]
		p := c.beginAt(t, from)
		down := to
		if c.Method == EulerA {
			p.noise = math.Sqrt(max(to*to*(from*from-to*to), 0)) / from
			down = math.Sqrt(max(to*to-p.noise*p.noise, 0))
		}
		dt := down - from // along (x - x0)/σ
		p.x = 1 + dt*(1-p.toX)/from
		p.eps = -dt * p.toEps / from
		s.steps = append(s.steps, p)
	}
	return nil
}
