package graph

import "context"

// Device executes recorded programs. It packs weights in its own layout, once,
// and shares them among the Programs built on it.
//
// Concurrency: Programs of one device run one after the other; the device
// serialises them.
type Device interface {
	// Name returns a short name such as "cpu avx512".
	Name() string
	// Batch returns how many pictures or texts a program best takes at once: few where
	// its activations should stay in caches, many where there are processors to fill.
	Batch() int
	// Ahead returns how many steps of a loop, each fed by the one before, a program best
	// makes: one, or more where starting a program takes a good part of a step.
	Ahead() int
	// Arrange adapts a recorded program to the device before it is planned: it may
	// merge operations and have values kept in halves (Node.Half) or with gaps
	// (Node.Gap). It returns the operations to run.
	Arrange(ops []*Op) []*Op
	// Prepare chooses the kernel for an operation. The error says why the device
	// can't run it.
	Prepare(op *Op) (Step, error)
	// Bind packs the weights that the device doesn't hold yet, lays the planned
	// memory out and returns what replays the steps. The steps are those of
	// Prepare, in the plan's order.
	Bind(p *Plan, steps []Step) (Runner, error)
	// Trim frees packed weights that no Program uses.
	Trim()
	// Close frees the device; no Program of it may run any more.
	Close() error
}

// Step is an operation made ready by a device.
type Step interface {
	// Workspace returns how many floats of temporary memory the step needs.
	Workspace() int
	// Packed lists the weights the step needs, in the device's form.
	Packed() []Packed
}

// Packed is a weight in a device's own form: Programs whose steps name equal
// forms share it.
type Packed struct {
	Form  any
	Bytes int
}

// Runner replays a bound program.
type Runner interface {
	// Run executes all steps; between two of them it returns ctx's error once
	// ctx is done. A device that replays a program as one asks ctx before it and
	// after it.
	Run(ctx context.Context) error
	// Memory returns the host's view of an input's or output's elements, each 4
	// bytes, valid until Close. What the host writes before Run is what Run sees,
	// and after Run it holds the results.
	Memory(n *Node) []float32
	// Close frees the program's memory.
	Close() error
}
