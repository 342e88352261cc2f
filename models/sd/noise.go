package sd

import (
	"errors"
	"fmt"

	"syntic/kernels/elem"
	"syntic/kernels/par"
	"syntic/models/sd/sched"
)

// noise gives the values of one picture's generator in the order of [C,h,w], as
// PyTorch's latents have it, to latents [h,w,C]: so the same seed means the same
// noise as in diffusers.
type noise struct {
	from sched.Source
	c    int
	held []float32
}

func newNoise(seed uint64, torch bool, channels int) *noise {
	n := &noise{from: &sched.Normal{Seed: seed}, c: channels}
	if torch {
		n.from = sched.NewTorch(seed)
	}
	return n
}

// Fill implements sched.Source. Allocs: none after the first call.
func (n *noise) Fill(dst []float32) {
	if len(n.held) != len(dst) {
		n.held = make([]float32, len(dst))
	}
	n.from.Fill(n.held)
	cells := len(dst) / n.c
	for c := range n.c {
		for i, v := range n.held[c*cells : (c+1)*cells] {
			dst[i*n.c+c] = v
		}
	}
}

// noises fills equal parts of a slice from one picture's noise each, on a pool: so
// every picture of a batch has the noise that it would have alone.
type noises struct {
	pool *par.Pool
	of   []*noise
	dst  []float32
	fill func(worker, i int)
}

func newNoises(pool *par.Pool, of []*noise) *noises {
	n := &noises{pool: pool, of: of}
	n.fill = func(_, i int) {
		part := len(n.dst) / len(n.of)
		n.of[i].Fill(n.dst[i*part : (i+1)*part])
	}
	return n
}

// Fill implements sched.Source. Allocs: none after the first call.
func (n *noises) Fill(dst []float32) {
	n.dst = dst
	n.pool.Run(len(n.of), n.fill)
	n.dst = nil
}

// ErrNotFinite is what errors about values that aren't finite are.
var ErrNotFinite = errors.New("no finite numbers")

// finite returns an error when values that a stage made aren't finite: a black
// picture must never pass for a result.
func finite(stage string, values ...[]float32) error {
	bad, all := 0, 0
	for _, list := range values {
		bad += elem.NotFinite(list)
		all += len(list)
	}
	return faulty(stage, bad, all)
}

// faulty returns an error when some values of a stage are bad.
func faulty(stage string, bad, all int) error {
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%s made %d of %d values that are %w; the checkpoint may be damaged, or its values too large for --weights f16", stage, bad, all, ErrNotFinite)
}
