package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"syntic/tensor"
)

// Program is a recorded, planned and bound model of fixed shapes.
//
// Concurrency: one Run at a time, and no access to its memory meanwhile.
type Program struct {
	plan   *Plan
	runner Runner
}

// Build records a model, fuses and plans it, has the device pack and bind it,
// and returns the program. A shape mistake in record, or an operation that the
// device can't run, comes back as an error. taps name the inner values
// (Builder.Tap) to keep as outputs.
func Build(d Device, record func(*Builder), taps ...string) (*Program, error) {
	pl, steps, err := prepare(d, record, taps)
	if err != nil {
		return nil, err
	}
	runner, err := d.Bind(pl, steps)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name(), err)
	}
	return &Program{plan: pl, runner: runner}, nil
}

// prepare takes a model through all that needs neither weights nor memory.
func prepare(d Device, record func(*Builder), taps []string) (p *Plan, steps []Step, err error) {
	b := newBuilder(taps)
	if err := b.record(record); err != nil {
		return nil, nil, err
	}
	var outputs []*Node
	for _, n := range b.nodes {
		if n.output {
			outputs = append(outputs, n)
		}
	}
	ops := fuse(b.ops)
	flops := 0.0
	for _, op := range ops {
		flops += op.flops()
	}
	ops = d.Arrange(ops)
	steps = make([]Step, len(ops))
	workspace := make([]int, len(ops))
	for i, op := range ops {
		if steps[i], err = d.Prepare(op); err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", d.Name(), describe(op), err)
		}
		workspace[i] = steps[i].Workspace()
	}
	p = plan(ops, b.inputs, outputs, workspace)
	p.FLOPs = flops
	return p, steps, nil
}

func (b *Builder) record(record func(*Builder)) (err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		shape, ok := r.(*ShapeError)
		if !ok {
			panic(r)
		}
		err = shape
	}()
	record(b)
	if !slices.ContainsFunc(b.nodes, func(n *Node) bool { return n.output || n.Op != nil && n.Root().Role == StateRole }) {
		return errors.New("the recorded program has no output and writes no state")
	}
	for tap := range b.taps {
		if !b.named(tap) {
			return fmt.Errorf("the recorded program has no inner value %q", tap)
		}
	}
	return nil
}

// Run executes the program on what its inputs hold. It returns ctx's error when
// ctx ends between two steps; the outputs are undefined then.
//
// Allocs: none on the CPU device.
func (p *Program) Run(ctx context.Context) error { return p.runner.Run(ctx) }

// Close frees the program's memory; the packed weights stay with the device.
func (p *Program) Close() error { return p.runner.Close() }

// F32 returns the memory of a float32 input or output by name; it panics when
// the program has none of that name.
func (p *Program) F32(name string) []float32 { return p.runner.Memory(p.find(name, F32)) }

// I32 returns the memory of an int32 input or output by name; it panics when
// the program has none of that name.
func (p *Program) I32(name string) []int32 {
	m := p.runner.Memory(p.find(name, I32))
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(m))), len(m))
}

// Shape returns the shape of an input or output.
func (p *Program) Shape(name string) tensor.Shape {
	return p.lookup(name).Shape
}

// Type returns the element type of an input or output.
func (p *Program) Type(name string) Type { return p.lookup(name).Type }

func (p *Program) find(name string, t Type) *Node {
	n := p.lookup(name)
	if n.Type != t {
		panic(fmt.Sprintf("graph: %s holds another element type", name))
	}
	return n
}

func (p *Program) lookup(name string) *Node {
	for _, ns := range [][]*Node{p.plan.Inputs, p.plan.Outputs} {
		for _, n := range ns {
			if n.Name == name {
				return n
			}
		}
	}
	panic(fmt.Sprintf("graph: the program has no input or output %q", name))
}

// ArenaBytes returns the memory the program needs beside its weights and states.
func (p *Program) ArenaBytes() int { return 4 * p.plan.Arena }

// Steps returns the number of operations.
func (p *Program) Steps() int { return len(p.plan.Ops) }

// Dump writes the list of operations, one a line.
func (p *Program) Dump(w io.Writer) error {
	for i, op := range p.plan.Ops {
		if _, err := fmt.Fprintf(w, "%4d  %-12s %v -> %v @%d\n", i, op.Attr.Kind(), describe(op), op.Out.Shape, p.plan.Offset(op.Out)); err != nil {
			return err
		}
	}
	return nil
}

// describe names an operation by its first weight, or by its kind and shapes.
func describe(op *Op) string {
	for _, n := range op.In {
		if n != nil && n.Role == Weight && n.Name != "" {
			return n.Name
		}
	}
	s := op.Attr.Kind()
	for _, n := range op.In {
		if n != nil {
			s += " " + n.Shape.String()
		}
	}
	return s
}
