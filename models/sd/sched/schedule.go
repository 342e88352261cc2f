package sched

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// AlphasCumprod returns ᾱ_t, the share of the signal's variance at timestep t:
// the product of 1-β over the timesteps 0..t. It is rounded to float32 where
// PyTorch does: the timesteps of Karras' levels hang on that (1.1e-6 without it,
// at a tolerance of 1e-6).
func (c *Config) AlphasCumprod() []float64 {
	from, to := c.BetaStart, c.BetaEnd
	if c.BetaSchedule == ScaledLinear {
		from, to = math.Sqrt(from), math.Sqrt(to)
	}
	step := single((single(to) - single(from)) / float64(c.TrainSteps-1))
	out := make([]float64, c.TrainSteps)
	product := 1.0
	for t := range out {
		beta := single(single(from) + float64(step*float64(t))) // torch.linspace works from both ends
		if t >= c.TrainSteps/2 {
			beta = single(single(to) - float64(step*float64(c.TrainSteps-1-t)))
		}
		if c.BetaSchedule == ScaledLinear {
			beta = single(beta * beta)
		}
		product *= single(1 - beta)
		out[t] = single(product)
	}
	return out
}

// single rounds to float32.
func single(x float64) float64 { return float64(float32(x)) }

// linspace returns n values from one end to the other, as numpy rounds them: a
// timestep that lies half-way between two must go the same way.
func linspace(from, to float64, n int) []float64 {
	out := make([]float64, n)
	step := (to - from) / float64(max(n-1, 1))
	for i := range out {
		out[i] = float64(float64(i)*step) + from
	}
	if n > 1 {
		out[n-1] = to
	}
	return out
}

// timesteps returns n timesteps, the noisiest first. Euler's linspace isn't
// rounded to whole timesteps; DPM-Solver++ spaces n+1 and leaves out the last.
//
// Leading timesteps may lie past the last trained one (1000 steps and an offset
// of 1): there diffusers fails or reads the last, and whoever uses them here
// takes the last. Trailing has n values also where numpy's arange has n+1.
//
// Source: diffusers' set_timesteps; Lin et al., "Common Diffusion Noise Schedules
// and Sample Steps are Flawed", table 2.
func (c *Config) timesteps(n int) ([]float64, error) {
	if n < 1 || n > c.TrainSteps {
		return nil, fmt.Errorf("%d steps aren't within 1 to %d, the timesteps that the model was trained on", n, c.TrainSteps)
	}
	extra := 0
	if c.Method == DPM2M {
		extra = 1
	}
	var out []float64
	switch c.Spacing {
	case Linspace:
		out = linspace(0, float64(c.TrainSteps-1), n+extra)
		for i, t := range out {
			if c.Method != Euler && c.Method != EulerA {
				out[i] = math.RoundToEven(t)
			} else {
				out[i] = single(t)
			}
		}
		slices.Reverse(out)
	case Leading:
		ratio := c.TrainSteps / (n + extra)
		if ratio == 0 {
			return nil, fmt.Errorf("%d steps are too many for %s with leading spacing: at most %d", n, c.Method, c.TrainSteps-1)
		}
		for i := n + extra - 1; i >= 0; i-- {
			out = append(out, float64(i*ratio+c.StepsOffset))
		}
	case Trailing:
		first := float64(c.TrainSteps)
		delta := (first - first/float64(n)) - first
		for i := range n {
			out = append(out, math.RoundToEven(first+float64(float64(i)*delta))-1)
		}
	}
	return out[:n], nil
}

// sigmas returns the noise levels σ = √((1-ᾱ)/ᾱ) of every trained timestep.
func sigmas(alphas []float64) []float64 {
	out := make([]float64, len(alphas))
	for t, a := range alphas {
		out[t] = math.Sqrt((1 - a) / a)
	}
	return out
}

// interpolate reads a table at a fractional index, at its ends beyond them.
func interpolate(table []float64, at float64) float64 {
	i := int(at)
	if i >= len(table)-1 {
		return table[len(table)-1]
	}
	return table[i] + float64((at-float64(i))*(table[i+1]-table[i]))
}

// karras returns n noise levels from high to low.
// Source: Karras et al., "Elucidating the Design Space of Diffusion-Based
// Generative Models", equation 5, ρ = 7.
func karras(high, low float64, n int) []float64 {
	const rho = 7
	from, to := math.Pow(high, 1.0/rho), math.Pow(low, 1.0/rho)
	out := linspace(0, 1, n)
	for i, ramp := range out {
		out[i] = math.Pow(from+float64(ramp*(to-from)), rho)
	}
	return out
}

// timestepOf returns the fractional timestep of a noise level, by interpolation
// in its logarithm. levels rise.
func timestepOf(levels []float64, sigma float64) float64 {
	low := sort.Search(len(levels), func(i int) bool { return levels[i] > sigma }) - 1
	low = min(max(low, 0), len(levels)-2)
	a, b := math.Log(levels[low]), math.Log(levels[low+1])
	w := min(max((math.Log(sigma)-a)/(b-a), 0), 1)
	return float64(low) + w
}

// levels returns the timesteps and noise levels of the methods that work on
// noise levels, one level more than timesteps.
func (c *Config) levels(n int) (timesteps, levels []float64, err error) {
	if timesteps, err = c.timesteps(n); err != nil {
		return nil, nil, err
	}
	table := sigmas(c.AlphasCumprod())
	for _, t := range timesteps {
		levels = append(levels, interpolate(table, t))
	}
	if c.Karras {
		high, low := levels[0], levels[n-1]
		if c.Method == DPM2M {
			high, low = table[len(table)-1], table[0]
		}
		levels = karras(high, low, n)
		for i, s := range levels {
			timesteps[i] = timestepOf(table, s)
			if c.Method == DPM2M {
				timesteps[i] = math.RoundToEven(timesteps[i])
			}
		}
	}
	final := 0.0
	if c.FinalSigma == SigmaMin && c.Method != EulerA {
		final = table[0]
	}
	return timesteps, append(levels, final), nil
}
