package sched

import (
	"fmt"
	"math"
)

// PNDM keeps the latent that a step begins from, three earlier outputs, the latest
// first, and the sum of a Runge-Kutta step's outputs.
const (
	beginning   = kept
	earlier     = kept + 1
	outputs     = 3
	sumOf       = earlier + outputs
	pndmTensors = sumOf + 1
	rungeKutta  = 4 // outputs of a Runge-Kutta step
	warmUp      = 3 // Runge-Kutta steps before the multistep ones
)

// adams are the Adams-Bashforth weights of the present output and of the
// earlier ones, the latest first, by how many there are.
var adams = [][]float64{
	{1}, {3. / 2, -1. / 2}, {23. / 12, -16. / 12, 5. / 12}, {55. / 24, -59. / 24, 37. / 24, -9. / 24},
}

// pndm is PNDM's plan in the making.
type pndm struct {
	*Config
	alphas table
	ratio  int // timesteps from one step to the next
	seen   int // outputs kept
}

// planPNDM fills the steps of pseudo numerical methods. With SkipPRK the second
// timestep comes twice, as a corrector of the first step, before the multistep
// method begins; without it Runge-Kutta steps come first.
//
// Beginning at o.Start, it corrects its second step all the same although the
// timestep isn't repeated there, so the latent stays one level behind: that is
// what diffusers does, and pictures are to be compared with its.
//
// Source: Liu et al., "Pseudo Numerical Methods for Diffusion Models on
// Manifolds", equations 9, 12, 13; diffusers PNDMScheduler.
func (s *Scheduler) planPNDM(c *Config, n int, o Options) error {
	timesteps, err := c.timesteps(n)
	if err != nil {
		return err
	}
	p := &pndm{Config: c, alphas: c.table(), ratio: c.TrainSteps / n}
	s.tensors = pndmTensors
	if !c.SkipPRK {
		if n <= warmUp || o.Start > 0 {
			return fmt.Errorf("pndm with Runge-Kutta steps needs at least %d steps and begins at the first: set skip_prk_steps", warmUp+1)
		}
		for i := range warmUp {
			s.steps = append(s.steps, p.rungeKutta(int(timesteps[i]), int(timesteps[i+1]))...)
		}
		timesteps = timesteps[warmUp:]
	} else if n > 1 {
		timesteps = append(timesteps[:2:2], timesteps[1:]...)
	}
	for i, t := range timesteps {
		counter := i - o.Start
		if !c.SkipPRK {
			counter = i + warmUp*rungeKutta
		}
		s.steps = append(s.steps, p.multistep(int(t), max(counter, 0)))
	}
	return nil
}

// transfer returns the step from ᾱ at one timestep to ᾱ at another as
// coefficients of the latent and the combined output: equation 9.
func (p *pndm) transfer(from, to int) (x, eps float64) {
	a, b := p.alphas.at(from), p.alphas.at(to)
	x = math.Sqrt(b / a)
	eps = -(b - a) / (a*math.Sqrt(1-b) + math.Sqrt(a*(1-a)*b))
	if p.Prediction == VPrediction {
		return x + eps*math.Sqrt(1-a), eps * math.Sqrt(a)
	}
	return x, eps
}

// keep returns what puts the present output before the earlier ones.
func (p *pndm) keep() []store {
	p.seen++
	list := []store{{tensor: earlier, eps: 1}}
	for k := 1; k < outputs; k++ {
		list = append(list, store{tensor: earlier + k, read: []term{{earlier + k - 1, 1}}})
	}
	return list
}

// multistep plans a step of the linear multistep method.
func (p *pndm) multistep(t, counter int) step {
	out := p.begin(float64(t), p.alphas.at(t))
	if counter == 1 { // the first step again, from where it began, with the mean of both outputs
		x, eps := p.transfer(t+p.ratio, t)
		out.eps = eps / 2
		out.read = []term{{beginning, x}, {earlier, eps / 2}}
		return out
	}
	if counter == 0 {
		p.seen = 0
	}
	x, eps := p.transfer(t, t-p.ratio)
	weights := adams[min(p.seen, len(adams)-1)]
	out.x, out.eps = x, eps*weights[0]
	for k, w := range weights[1:] {
		out.read = append(out.read, term{earlier + k, eps * w})
	}
	out.write = p.keep()
	if counter == 0 {
		out.write = append(out.write, store{tensor: beginning, x: 1})
	}
	return out
}

// rungeKutta plans the four outputs of a step from timestep t to next: at t,
// twice half-way, and at next.
func (p *pndm) rungeKutta(t, next int) []step {
	half := p.ratio / 2
	at := [rungeKutta]int{t, next + half, next + half, next}
	to := [rungeKutta]int{t - half, next + half, next, next}
	weights := [rungeKutta]float64{1. / 6, 1. / 3, 1. / 3, 1. / 6}
	out := make([]step, rungeKutta)
	for k := range out {
		s := p.begin(float64(at[k]), p.alphas.at(at[k]))
		x, eps := p.transfer(t, to[k])
		s.eps = eps
		if k == 0 {
			s.x = x
			s.write = append(p.keep(), store{tensor: beginning, x: 1}, store{tensor: sumOf, eps: weights[0]})
		} else {
			s.read = []term{{beginning, x}}
			s.write = []store{{tensor: sumOf, eps: weights[k], read: []term{{sumOf, 1}}}}
		}
		if k == rungeKutta-1 {
			s.eps = eps * weights[k]
			s.read = append(s.read, term{sumOf, eps})
			s.write = nil
		}
		out[k] = s
	}
	return out
}
