package sched

import "math"

// planDPM fills the steps of the multistep DPM-Solver++ of second order, which
// reads the denoised estimate of the step before. It begins in first order, ends
// so at level zero or where the configuration says, and stays so where two
// levels are equal.
// Source: Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
// Probabilistic Models", algorithm 2; diffusers DPMSolverMultistepScheduler.
// There λ = -ln σ with σ relative to the signal, so e^-h is a ratio of levels.
func (s *Scheduler) planDPM(c *Config, n int, o Options) error {
	timesteps, sigmas, err := c.levels(n)
	if err != nil {
		return err
	}
	s.sigmas = sigmas
	for i, t := range timesteps {
		from, to := sigmas[i], sigmas[i+1]
		p := c.begin(t, 1/(from*from+1))
		signal := 1 / math.Sqrt(to*to+1) // of the next latent; its noise is to·signal
		ratio := to / from
		whole, slope := signal*(1-ratio), 0.0 // of the estimate and of its change
		last := i == n-1 && (c.FinalSigma == Zero || c.EulerAtFinal || c.LowerOrderFinal && n < 15)
		if c.SolverOrder == 2 && i > o.Start && !last && sigmas[i-1] != from && from != to {
			h, before := math.Log(from/to), math.Log(sigmas[i-1]/from)
			if c.SolverType == Midpoint {
				slope = whole / 2 * h / before
			} else {
				slope = signal * ((ratio-1)/h + 1) * h / before
			}
			p.read = []term{{estimate, -slope}} // the step before's
		}
		p.x = ratio*signal*math.Sqrt(from*from+1) + (whole+slope)*p.toX
		p.eps = (whole + slope) * p.toEps
		s.steps = append(s.steps, p)
	}
	return nil
}
