//go:build cuda && linux

package cuda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// step is an operation with its kernel chosen; bind appends its launches.
type step struct {
	workspace int // floats
	weights   []*weight
	bind      func(m *memory, ws cu.DevicePtr) // once the weights are loaded
}

// Packed implements graph.Step.
func (s *step) Packed() []graph.Packed {
	var list []graph.Packed
	for _, w := range s.weights {
		list = append(list, graph.Packed{Form: w.key, Bytes: w.bytes})
	}
	return list
}

// Workspace implements graph.Step.
func (s *step) Workspace() int { return s.workspace }

// memory resolves a program's nodes to addresses and collects its launches.
type memory struct {
	dev    *Device
	plan   *graph.Plan
	arena  cu.DevicePtr
	faults cu.DevicePtr // one number of 8 bytes per check, after one for all
	consts map[*graph.Node]cu.DevicePtr
	states map[*graph.State]cu.DevicePtr
	// Inputs and outputs that cross the bus together lie apart from the arena.
	crossing map[*graph.Node]cu.DevicePtr
	checks   []check
	// What within has checked so far.
	bounded map[bounds]bool
	list    cux.List
	bytes   int
	err     error // the first that binding met
}

// bounds are those that a number of the data must keep.
type bounds struct {
	n         *graph.Node
	low, high int
}

// check turns what a kernel reported, a position and the number found there,
// into an error.
type check func(position, number int) error

// at returns where a node's elements lie; 0 for nil.
func (m *memory) at(n *graph.Node) cu.DevicePtr {
	if n == nil {
		return 0
	}
	r := n.Root()
	switch r.Role {
	case graph.Const:
		return m.constant(r)
	case graph.StateRole:
		return m.state(r)
	}
	if at, ok := m.crossing[r]; ok {
		return at
	}
	return m.arena + cu.DevicePtr(4*m.plan.Offset(n))
}

// view is where a value lies and how its elements are kept, as kernels take it (dev.h's
// In and Out).
type view struct {
	at   cu.DevicePtr
	kind int32
	_    int32
}

// view returns a node's; a null one for nil.
func (m *memory) view(n *graph.Node) view { return view{at: m.at(n), kind: int32(m.dev.kind(n))} }

// from returns the view from element n on.
func (v view) from(n int) view {
	v.at += cu.DevicePtr(v.size() * n)
	return v
}

// size returns the bytes of an element.
func (v view) size() int {
	if v.kind == 0 {
		return 4
	}
	return 2
}

// args begins a kernel's arguments with views.
func args(vs ...view) *cux.Args {
	a := new(cux.Args)
	for _, v := range vs {
		cux.Put(a, v)
	}
	return a
}

func (m *memory) constant(n *graph.Node) cu.DevicePtr {
	p, ok := m.consts[n]
	if !ok && m.err == nil {
		if p, m.err = m.dev.alloc(4 * len(n.Data)); m.err != nil {
			return 0
		}
		m.consts[n] = p
		m.bytes += 4 * len(n.Data)
		if len(n.Data) > 0 {
			m.err = m.dev.fault(cu.MemcpyHtoD(p, unsafe.Pointer(&n.Data[0]), int64(4*len(n.Data))))
		}
	}
	return p
}

func (m *memory) state(n *graph.Node) cu.DevicePtr {
	p, ok := m.states[n.State]
	if !ok && m.err == nil {
		if p, m.err = m.dev.hold(n); m.err == nil {
			m.states[n.State] = p
		}
	}
	return p
}

// slot makes room for a check's report and returns its number.
func (m *memory) slot(c check) int {
	m.checks = append(m.checks, c)
	return len(m.checks)
}

// launch appends a kernel.
func (m *memory) launch(kernel string, g cux.Grid, a *cux.Args) {
	if m.err != nil {
		return
	}
	f, err := m.dev.kernel(kernel, g.Shared)
	if err != nil {
		m.err = fmt.Errorf("kernel %s: %w", kernel, err)
		return
	}
	if g.Threads == 0 {
		g.Threads = threads
	}
	m.list.Kernel(kernel, f, g, a)
}

// each appends a kernel of which every thread makes one of n values; n is its
// last argument.
func (m *memory) each(kernel string, n int, a *cux.Args) {
	if n > 0 {
		m.launch(kernel, cux.Grid{X: ceil(n, threads)}, a.Int(n))
	}
}

// threads of a block, in every kernel that doesn't say otherwise.
const threads = 256

func ceil(n, by int) int { return (n + by - 1) / by }

// runner replays a bound program.
type runner struct {
	memory
	replay  *cux.Replay
	held    []*weight
	pinned  []float32
	fetched []float32 // reports and small outputs, in pinned
	host    map[*graph.Node][]float32
	faults  []uint64 // what the kernels reported; all ones where nothing
}

// Bind implements graph.Device.
func (d *Device) Bind(p *graph.Plan, steps []graph.Step) (graph.Runner, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return nil, d.lost
	}
	leave, err := d.enter()
	defer leave()
	if err != nil {
		return nil, cux.Named(err)
	}
	r := &runner{memory: memory{dev: d, plan: p, consts: map[*graph.Node]cu.DevicePtr{}, states: map[*graph.State]cu.DevicePtr{}, crossing: map[*graph.Node]cu.DevicePtr{}, bounded: map[bounds]bool{}}}
	if err := r.loadWeights(steps); err != nil {
		return nil, errors.Join(err, r.free())
	}
	if err := r.bind(steps); err != nil {
		if errors.Is(err, cux.OutOfMemory) {
			err = fmt.Errorf("%w\n%s", err, layout(p))
		}
		return nil, errors.Join(err, r.free())
	}
	return r, nil
}

func (r *runner) loadWeights(steps []graph.Step) error {
	for _, s := range steps {
		for _, w := range s.(*step).weights {
			if err := r.dev.load(w); err != nil {
				return fmt.Errorf("%s: %w", w.key.param.Label(), err)
			}
			r.held = append(r.held, w)
		}
	}
	return nil
}

func (r *runner) bind(steps []graph.Step) (err error) {
	d, p := r.dev, r.plan
	if err := r.place(len(steps)); err != nil {
		return err
	}
	for i, s := range steps {
		st := s.(*step)
		st.bind(&r.memory, r.arena+cu.DevicePtr(4*p.Workspace[i]))
	}
	if r.err != nil {
		return r.err
	}
	r.fetch()
	d.held.programs += r.bytes
	r.replay, err = cux.NewReplay(d.ctx, d.stream, r.list, !d.opts.NoGraph, d.overlap)
	return d.fault(err)
}

// layout lists what a program's arena holds, the largest values first.
func layout(p *graph.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "the program has %d operations and an arena of %s; its largest values:", len(p.Ops), size(4*p.Arena))
	ops := slices.Clone(p.Ops)
	slices.SortStableFunc(ops, func(x, y *graph.Op) int { return cmp.Compare(y.Out.Floats(), x.Out.Floats()) })
	for _, op := range ops[:min(len(ops), 8)] {
		fmt.Fprintf(&b, "\n  %12s  %s %v", size(4*op.Out.Floats()), op.Attr.Kind(), op.Out.Shape)
	}
	return b.String()
}

// Run implements graph.Runner. A program runs as one: ctx is asked before it and
// after it.
//
// Allocs: none.
func (r *runner) Run(ctx context.Context) error {
	d := r.dev
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return d.lost
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.replay.Run(); err != nil {
		return d.fault(err)
	}
	if r.faults[0] == 0 {
		for i, c := range r.checks {
			if f := r.faults[i+1]; ^f != 0 {
				clean(r.faults)
				return c(int(f>>32), int(int32(f)))
			}
		}
	}
	return ctx.Err()
}

// Memory implements graph.Runner.
func (r *runner) Memory(n *graph.Node) []float32 { return r.host[n.Root()] }

// Close implements graph.Runner.
func (r *runner) Close() error {
	d := r.dev
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return nil // its memory went with the context
	}
	leave, err := d.enter()
	defer leave()
	return errors.Join(cux.Named(err), r.free())
}

// free gives everything back. The caller holds mu and has entered.
func (r *runner) free() error {
	d := r.dev
	var errs []error
	if r.replay != nil {
		d.held.programs -= r.bytes
		errs = append(errs, r.replay.Close())
	}
	for _, w := range r.held {
		if p := d.packed[w.key]; p != nil {
			p.users--
		}
	}
	for _, p := range r.consts {
		errs = append(errs, cux.Named(cu.MemFree(p)))
	}
	for s := range r.states {
		errs = append(errs, d.drop(s))
	}
	if r.arena != 0 {
		errs = append(errs, cux.Named(cu.MemFree(r.arena)))
	}
	errs = append(errs, cux.Unpin(r.pinned))
	*r = runner{memory: memory{dev: d}}
	return errors.Join(errs...)
}
