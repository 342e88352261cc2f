package sd

import (
	"context"
	"errors"
	"math"

	"syntic/kernels/ref"
	"syntic/models/sd/sched"
	"syntic/tensor/graph"
)

// solverKey is the shape of a drawing's steps; the zero value is a prediction alone.
type solverKey struct {
	tensors int // of the scheduler
	noisy   bool
}

// solver keeps a drawing's latents on the device, from the first step to the last.
type solver struct {
	key   unetKey
	load  *graph.Program
	fetch *graph.Program
}

// errReplaced is the error of a drawing whose latents are no longer there.
var errReplaced = errors.New("sd: this drawing can't go on: another one has begun on its pipeline, or its UNet was freed")

// solverStates are the scheduler's tensors [1,T,N] and what the UNet reads [1,1,N], of
// N values of all pictures' latents.
type solverStates struct{ tensors, in *graph.State }

// stepKey returns the shape of the steps of so many pictures; with guidance the
// unconditional prompts come first.
func (p *Pipeline) stepKey(pictures int, s Settings, schedule *sched.Scheduler) unetKey {
	halves := 1
	if s.Guidance > 1 {
		halves = 2
	}
	h, w := p.VAE.Cells(s.Height, s.Width)
	return unetKey{promptKey{halves * pictures, p.Text.Config().Positions}, pictures, h, w, solverKey{schedule.Tensors(), schedule.Noisy()}}
}

// size returns the values of one tensor of all pictures.
func (u *UNet) size(k unetKey) int { return k.latents * k.h * k.w * u.cfg.In }

// statesOf returns the memory of a drawing's latents.
func (u *UNet) statesOf(k unetKey) *solverStates {
	s := u.solvers[k]
	if s == nil {
		n := u.size(k)
		s = &solverStates{graph.NewState("latents", 1, k.tensors, n), graph.NewState("the UNet's input", 1, 1, n)}
		s.tensors.Wide, s.in.Wide = true, true
		u.solvers[k] = s
	}
	return s
}

// recordLoad records the start of a drawing: latents [N] and what the UNet reads
// of them [N] in.
func (u *UNet) recordLoad(b *graph.Builder, k unetKey) {
	s, n, row := u.statesOf(k), u.size(k), b.InputI32("row", 1) // row 0: inputs begin as zeros
	b.CacheWrite(s.tensors, b.Input("latents", 1, 1, n), 0, row)
	b.CacheWrite(s.in, b.Input("scaled", 1, 1, n), 0, row)
}

// recordFetch records the reading of the latents and the last step's estimate,
// latents [2,N] out.
func (u *UNet) recordFetch(b *graph.Builder, k unetKey) {
	b.Output("latents", b.Slice(b.State(u.statesOf(k).tensors), 1, 0, 2))
}

// recordStep records a drawing's step on its states: time [latents,C], the
// scheduler's coefficients and, where it is noisy, noise [N] in; how many values
// of the prediction and of the next input aren't finite out.
func (u *UNet) recordStep(b *graph.Builder, k unetKey) {
	s := u.statesOf(k)
	o := u.predict(b, k, b.Reshape(b.State(s.in), k.latents, k.h, k.w, u.cfg.In))
	var z graph.Value
	if k.noisy {
		z = b.Input("noise", u.size(k))
	}
	b.Output("bad prediction", b.NotFinite(o))
	b.Multistep(s.tensors, s.in, o, z, b.InputI32("coefficients", ref.MultistepWords(k.tensors)))
	b.Output("bad input", b.NotFinite(b.State(s.in)))
}

// begin makes latents [N] those of the steps to come, the first of which reads them
// times scale, and returns what stands for them.
func (u *UNet) begin(ctx context.Context, k unetKey, latents []float32, scale float64) (*solver, error) {
	s := &solver{key: k}
	if old := u.solver; old != nil && old.key == k {
		s.load, s.fetch = old.load, old.fetch
	} else {
		if err := u.endSolver(); err != nil {
			return nil, err
		}
		var err error
		if s.load, err = graph.Build(u.dev, func(b *graph.Builder) { u.recordLoad(b, k) }); err != nil {
			return nil, err
		}
		if s.fetch, err = graph.Build(u.dev, func(b *graph.Builder) { u.recordFetch(b, k) }); err != nil {
			return nil, errors.Join(err, s.load.Close())
		}
	}
	u.solver = s
	copy(s.load.F32("latents"), latents)
	in := s.load.F32("scaled")
	for i, v := range latents {
		in[i] = float32(float64(v) * scale)
	}
	return s, s.load.Run(ctx)
}

// endSolver frees the latents' memory, once no step's program holds it.
func (u *UNet) endSolver() error {
	if u.solver == nil {
		return nil
	}
	s := u.solver
	u.solver = nil
	return errors.Join(s.load.Close(), s.fetch.Close())
}

// advance takes a step of the latents that s stands for, at a time, by the scheduler's
// row; noise, where the scheduler takes any, fills its values. It returns how many
// values of the prediction, and of the latents after it, aren't finite.
//
// Allocs: none once the program exists.
func (u *UNet) advance(ctx context.Context, s *solver, row *ref.Multistep, time float64, noise *noises) (prediction, latents int, err error) {
	if u.solver != s {
		return 0, 0, errReplaced
	}
	k := s.key
	p, err := u.cache.Get(k, func() (*graph.Program, error) {
		return graph.Build(u.dev, func(b *graph.Builder) { u.recordStep(b, k) })
	})
	if err != nil {
		return 0, 0, err
	}
	features, c := p.F32("time"), u.cfg.Channels[0]
	u.sinusoid(features[:c], time)
	for at := c; at < len(features); at += c { // one time for all
		copy(features[at:], features[:c])
	}
	row.Put(p.I32("coefficients"))
	if k.noisy {
		noise.Fill(p.F32("noise"))
	}
	if err := p.Run(ctx); err != nil {
		return 0, 0, err
	}
	return int(p.I32("bad prediction")[0]), int(p.I32("bad input")[0]), nil
}

// latents reads the latents and the last step's estimate of their end back, each
// into N values.
func (u *UNet) latents(ctx context.Context, s *solver, dst, estimate []float32) error {
	if u.solver != s {
		return errReplaced
	}
	if err := s.fetch.Run(ctx); err != nil {
		return err
	}
	both := s.fetch.F32("latents")
	copy(estimate, both[copy(dst, both):])
	return nil
}

// Sinusoids writes the features of times that the UNet's time input takes, in
// float64 until the last rounding. Shapes: dst [len(times),C].
// Source: diffusers models/embeddings.py, get_timestep_embedding.
func (u *UNet) Sinusoids(dst []float32, times []float64) {
	c := u.cfg.Channels[0]
	for i, t := range times {
		u.sinusoid(dst[i*c:(i+1)*c], t)
	}
}

func (u *UNet) sinusoid(dst []float32, t float64) {
	half := len(dst) / 2
	first, second := dst[:half], dst[half:]
	if u.cfg.Flip {
		first, second = second, first
	}
	for j := range half {
		angle := t * math.Exp(-math.Log(10000)*float64(j)/(float64(half)-u.cfg.FreqShift))
		first[j], second[j] = float32(math.Sin(angle)), float32(math.Cos(angle))
	}
}
