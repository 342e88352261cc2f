//go:build cuda && linux

package cuda

import (
	"unsafe"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// What crosses the bus. Each copy of a run costs some microseconds whatever its size, so
// small inputs, the kernels' reports and small outputs lie in one block, in this order on
// both sides: a copy brings the inputs and clears the reports, another fetches the reports
// and the outputs. Large values are copied one by one, from and to the arena.

// small is the most floats of a value that crosses in the block.
const small = 1 << 14

// line is what addresses in the block are multiples of, in floats.
const line = 16

// place takes memory for a program of so many steps on both sides and appends the
// copies to the GPU.
func (r *runner) place(steps int) (err error) {
	d, p := r.dev, r.plan
	at := map[*graph.Node]int{}
	end := 0 // in floats, of the block
	arrange := func(ns []*graph.Node, inBlock bool) {
		for _, n := range ns {
			n = n.Root()
			if _, ok := at[n]; !ok && (n.Floats() <= small) == inBlock {
				at[n] = end
				end += ceil(n.Floats(), line) * line
			}
		}
	}
	arrange(p.Inputs, true)
	reports, most := end, steps+1 // a step has one check at most
	end += ceil(2*most, line) * line
	arrange(p.Outputs, true)
	block := end
	arrange(p.Inputs, false)
	arrange(p.Outputs, false)
	if r.arena, err = d.alloc(4 * (p.Arena + block)); err != nil {
		return err
	}
	if r.pinned, err = cux.Pinned(end); err != nil {
		return d.fault(err)
	}
	r.bytes = 4 * (p.Arena + block)
	start := r.arena + cu.DevicePtr(4*p.Arena)
	r.host = map[*graph.Node][]float32{}
	for n, i := range at {
		r.host[n] = r.pinned[i : i+n.Floats() : i+n.Floats()]
		if i < block {
			r.crossing[n] = start + cu.DevicePtr(4*i)
		}
	}
	r.memory.faults = start + cu.DevicePtr(4*reports)
	r.faults = unsafe.Slice((*uint64)(unsafe.Pointer(&r.pinned[reports])), most)
	clean(r.faults)
	r.list.ToDevice(start, r.pinned[:reports+2*most])
	for _, n := range p.Inputs {
		if at[n] >= block {
			r.list.ToDevice(r.at(n), r.host[n])
		}
	}
	r.fetched = r.pinned[reports:block]
	return nil
}

// clean empties reports.
func clean(reports []uint64) {
	for i := range reports {
		reports[i] = ^uint64(0)
	}
}

// fetch appends the copies to the host.
func (r *runner) fetch() {
	sent := map[*graph.Node]bool{}
	for _, n := range r.plan.Outputs {
		root := n.Root()
		if _, ok := r.crossing[root]; !ok && !sent[root] {
			sent[root] = true
			r.list.ToHost(r.host[root], r.at(n))
		}
	}
	r.list.ToHost(r.fetched, r.memory.faults)
}
