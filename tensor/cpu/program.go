package cpu

import (
	"context"
	"errors"
	"unsafe"

	"syntic/kernels/par"
	"syntic/tensor/graph"
	"syntic/weights"
)

// run executes one step; the error is for indices that the data holds.
type run func() error

// step is an operation with its kernel chosen; bind gives it its memory.
type step struct {
	workspace int
	weights   []held
	bind      func(m *memory, ws []float32) run // once the weights are loaded
}

// Packed implements graph.Step.
func (s *step) Packed() []graph.Packed {
	var list []graph.Packed
	for _, w := range s.weights {
		list = append(list, w.packed())
	}
	return list
}

// Workspace implements graph.Step.
func (s *step) Workspace() int { return s.workspace }

// memory resolves nodes to slices.
type memory struct {
	dev    *Device
	plan   *graph.Plan
	arena  []float32
	states map[*graph.State][]float32
}

// f32 returns the elements of an activation, constant or state; nil for nil.
func (m *memory) f32(n *graph.Node) []float32 {
	if n == nil {
		return nil
	}
	r := n.Root()
	size := r.Floats()
	switch r.Role {
	case graph.Const:
		return r.Data
	case graph.StateRole:
		if m.states[r.State] == nil {
			m.states[r.State] = m.dev.hold(r.State)
		}
		return m.states[r.State]
	}
	at := m.plan.Offset(n)
	return m.arena[at : at+size : at+size]
}

// i32 returns the elements of an integer activation; nil for nil.
func (m *memory) i32(n *graph.Node) []int32 {
	f := m.f32(n)
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
}

// runner replays the steps of one program.
type runner struct {
	memory
	steps []run
	held  []held
	ctx   context.Context
	exec  func() error // the loop below, bound once so that Run allocates nothing
}

// Bind implements graph.Device.
func (d *Device) Bind(p *graph.Plan, steps []graph.Step) (graph.Runner, error) {
	r := &runner{memory: memory{dev: d, plan: p, states: map[*graph.State][]float32{}}}
	for _, s := range steps {
		for _, w := range s.(*step).weights {
			if err := w.load(d); err != nil {
				return nil, errors.Join(err, r.Close())
			}
			r.held = append(r.held, w)
		}
	}
	r.arena = par.Huge(p.Arena)
	for i, s := range steps {
		st := s.(*step)
		at := p.Workspace[i]
		r.steps = append(r.steps, st.bind(&r.memory, r.arena[at:at+st.workspace]))
	}
	r.exec = r.replay
	return r, nil
}

func (r *runner) replay() error {
	for _, s := range r.steps {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

// Run implements graph.Runner. Embedding tables may be views of a mapped file,
// so a file cut short meanwhile is an error here, not a crash.
func (r *runner) Run(ctx context.Context) error {
	r.dev.mu.Lock()
	defer r.dev.mu.Unlock()
	r.ctx = ctx
	defer func() { r.ctx = nil }()
	return weights.Guard(r.exec)
}

// Memory implements graph.Runner.
func (r *runner) Memory(n *graph.Node) []float32 { return r.f32(n) }

// Close implements graph.Runner.
func (r *runner) Close() error {
	for s := range r.states {
		r.dev.drop(s)
	}
	for _, w := range r.held {
		w.drop(r.dev)
	}
	r.arena, r.steps, r.states, r.held = nil, nil, nil, nil
	return nil
}
