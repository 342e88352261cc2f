package devtest

import (
	"context"
	"fmt"
	"unsafe"

	"syntic/tensor/graph"
)

// Ref is the reference device: every operation in float64 on plain slices, by
// kernels/ref where that specifies it, the result rounded to float32. Every
// value has memory of its own, so the plan's sharing doesn't reach it.
//
// Concurrency: none.
type Ref struct {
	states map[*graph.State][]float32
}

var _ graph.Device = (*Ref)(nil)

// NewRef returns a reference device.
func NewRef() *Ref { return &Ref{states: map[*graph.State][]float32{}} }

// Name implements graph.Device.
func (*Ref) Name() string { return "reference" }

// Trim implements graph.Device.
func (*Ref) Trim() {}

// Close implements graph.Device.
func (*Ref) Close() error { return nil }

// Batch implements graph.Device.
func (*Ref) Batch() int { return 8 }

// Ahead implements graph.Device.
func (*Ref) Ahead() int { return 1 }

// Arrange implements graph.Device.
func (*Ref) Arrange(ops []*graph.Op) []*graph.Op { return ops }

// Prepare implements graph.Device.
func (*Ref) Prepare(op *graph.Op) (graph.Step, error) {
	e, err := evaluate(op)
	return refStep{op, e}, err
}

// refStep is an operation with the function that computes it.
type refStep struct {
	op   *graph.Op
	eval eval
}

// eval computes an operation: out gets its elements.
type eval func(m *refMemory, out []float32) error

// Workspace implements graph.Step.
func (refStep) Workspace() int { return 0 }

// Packed implements graph.Step.
func (refStep) Packed() []graph.Packed { return nil }

// refMemory holds the elements of one program's values.
type refMemory struct {
	dev  *Ref
	held map[*graph.Node][]float32
}

// f32 returns a value's elements; nil for nil.
func (m *refMemory) f32(n *graph.Node) []float32 {
	if n == nil {
		return nil
	}
	r := n.Root()
	switch r.Role {
	case graph.Const:
		return r.Data
	case graph.Weight:
		v, err := r.Param.Float32s()
		if err != nil {
			panic(err)
		}
		return v
	case graph.StateRole:
		if m.dev.states[r.State] == nil {
			m.dev.states[r.State] = make([]float32, r.Shape.Elems())
		}
		return m.dev.states[r.State]
	}
	if m.held[r] == nil {
		m.held[r] = make([]float32, r.Shape.Elems())
	}
	return m.held[r]
}

// i32 returns an integer value's elements; nil for nil.
func (m *refMemory) i32(n *graph.Node) []int32 { return int32s(m.f32(n)) }

// int32s returns the same memory as integers.
func int32s(f []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
}

// refRunner replays a program.
type refRunner struct {
	refMemory
	steps []refStep
}

// Bind implements graph.Device.
func (d *Ref) Bind(_ *graph.Plan, steps []graph.Step) (graph.Runner, error) {
	r := &refRunner{refMemory: refMemory{d, map[*graph.Node][]float32{}}}
	for _, s := range steps {
		r.steps = append(r.steps, s.(refStep))
	}
	return r, nil
}

// Run implements graph.Runner.
func (r *refRunner) Run(ctx context.Context) error {
	for _, s := range r.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		dst := r.f32(s.op.Out)
		out := make([]float32, len(dst)) // the operation may read dst
		copy(out, dst)
		if err := s.eval(&r.refMemory, out); err != nil {
			return fmt.Errorf("%s: %w", s.op.Attr.Kind(), err)
		}
		copy(dst, out)
	}
	return nil
}

// Memory implements graph.Runner.
func (r *refRunner) Memory(n *graph.Node) []float32 { return r.f32(n) }

// Close implements graph.Runner.
func (r *refRunner) Close() error { return nil }
