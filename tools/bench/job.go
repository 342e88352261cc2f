package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// job is a workload made ready to run on a device of its own, which goes with
// it: a job leaves no packed weights behind.
type job struct {
	dev graph.Device
	run func(context.Context) error
	// nmse compares the last run's result with kernels/ref; nil for models,
	// which `syntic verify` checks.
	nmse func() float64
	free func() error
}

// prepare builds a workload on a new device. A kernel's panic is an error, so
// that one impossible workload doesn't end a worker.
func prepare(ctx context.Context, w Work, device func() (graph.Device, error)) (j *job, err error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	d, err := device()
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", w.Name, r)
		}
		if err != nil {
			j, err = nil, errors.Join(err, d.Close())
		}
	}()
	switch {
	case w.kernel():
		j, err = prepareKernel(d, w)
	case w.Kind == "greedy":
		j, err = prepareGreedy(ctx, d, w, decoderConfig)
	default:
		j, err = prepareModel(ctx, d, w)
	}
	if err != nil {
		return nil, err
	}
	j.dev = d
	runtime.GC() // a measurement doesn't pay for what its preparation left
	return j, nil
}

// close frees the job and its device.
func (j *job) close() error { return errors.Join(j.free(), j.dev.Close()) }

// measure runs the job until atLeast has passed or most runs are done, and once
// in any case. wall and cpu are the seconds of each run, cpu those of all the
// process's threads, 0 where the system doesn't tell.
func (j *job) measure(ctx context.Context, atLeast time.Duration, most int) (wall, cpu []float64, err error) {
	for begin := time.Now(); len(wall) == 0 || time.Since(begin) < atLeast && len(wall) < most; {
		c, t := processCPU(), time.Now()
		if err := j.run(ctx); err != nil {
			return nil, nil, err
		}
		wall = append(wall, time.Since(t).Seconds())
		cpu = append(cpu, (processCPU() - c).Seconds())
	}
	return wall, cpu, nil
}

// warm runs the job once, or twice when the first run took less than a second,
// and returns the seconds of the first.
func (j *job) warm(ctx context.Context) (float64, error) {
	begin := time.Now()
	if err := j.run(ctx); err != nil {
		return 0, err
	}
	first := time.Since(begin).Seconds()
	if first < 1 {
		return first, j.run(ctx)
	}
	return first, nil
}

// normal returns n numbers of the standard normal distribution.
func normal(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	fill(r, v)
	return v
}

// fill writes numbers of the standard normal distribution.
func fill(r *rand.Rand, v []float32) {
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
}

// random returns a generator: equal workloads get equal numbers.
func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// param returns a weight of standard normal numbers, and the numbers.
func param(r *rand.Rand, name string, shape ...int) (*graph.Param, []float32, error) {
	v := normal(r, tensor.Shape(shape).Elems())
	p := graph.NewParam(shape...)
	err := p.Load(weights.Info{Name: name, DType: weights.F32, Shape: shape, Data: tensor.FromF32(v, shape...).Data})
	return p, v, err
}
