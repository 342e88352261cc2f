//go:build cuda && linux

package cux

/*
#include "cux.h"
#cgo noescape cux_replay
#cgo nocallback cux_replay
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Args packs a kernel's arguments at their natural alignment, in order.
type Args struct {
	step C.cux_step
	end  int
}

// Put adds an argument that the kernel takes by value, such as a structure laid out as
// the kernel's.
func Put[T any](a *Args, v T) *Args {
	size, align := int(unsafe.Sizeof(v)), int(unsafe.Alignof(v))
	at := (a.end + align - 1) / align * align
	if a.end = at + size; a.end > len(a.step.args) || int(a.step.nargs) == len(a.step.offs) {
		panic("cux: too many kernel arguments")
	}
	*(*T)(unsafe.Pointer(&a.step.args[at])) = v
	a.step.offs[a.step.nargs] = C.uint16_t(at)
	a.step.nargs++
	return a
}

// Ptr adds a pointer argument; 0 is a null pointer.
func (a *Args) Ptr(p ...cu.DevicePtr) *Args {
	for _, v := range p {
		Put(a, uint64(v))
	}
	return a
}

// Int adds int arguments.
func (a *Args) Int(v ...int) *Args {
	for _, i := range v {
		if int(int32(i)) != i {
			panic(fmt.Sprintf("cux: %d doesn't fit an int of a kernel", i))
		}
		Put(a, int32(i))
	}
	return a
}

// F32 adds a float argument.
func (a *Args) F32(v float32) *Args { return Put(a, v) }

// Grid is how a kernel is launched; Shared is the bytes of dynamic shared memory.
type Grid struct{ X, Y, Z, Threads, Shared int }

// List is what a program does in one run: kernels and copies, in order.
type List struct {
	steps []C.cux_step
	names []string
}

func (l *List) add(name string, s C.cux_step) {
	l.steps, l.names = append(l.steps, s), append(l.names, name)
}

// Kernel appends a launch; name is for errors.
func (l *List) Kernel(name string, f cu.Function, g Grid, a *Args) {
	s := a.step
	s.kind, s.f = C.CUX_KERNEL, *(*C.CUfunction)(unsafe.Pointer(&f))
	for i, v := range []int{g.X, max(g.Y, 1), max(g.Z, 1), g.Threads, 1, 1, g.Shared} {
		s.dims[i] = C.uint(v)
	}
	l.add(name, s)
}

// ToDevice appends a copy from pinned memory.
func (l *List) ToDevice(dst cu.DevicePtr, src []float32) {
	l.copy("copy to the GPU", C.CUX_TO_DEVICE, dst, src)
}

// ToHost appends a copy to pinned memory.
func (l *List) ToHost(dst []float32, src cu.DevicePtr) {
	l.copy("copy from the GPU", C.CUX_TO_HOST, src, dst)
}

func (l *List) copy(name string, kind C.int, dev cu.DevicePtr, host []float32) {
	if len(host) > 0 {
		l.add(name, C.cux_step{kind: kind, dev: C.CUdeviceptr(dev), host: unsafe.Pointer(&host[0]), bytes: C.size_t(4 * len(host))})
	}
}

// Launches returns how many entries the list has.
func (l *List) Launches() int { return len(l.steps) }

// Replay is a list bound to a stream, as a graph where the driver can capture
// one.
//
// Concurrency: none.
type Replay struct {
	list   List
	ctx    C.CUcontext
	stream C.CUstream
	graph  C.CUgraphExec
}

// NewReplay binds a list. With capture it becomes a graph, with overlap kernels
// start while their predecessors end. A driver without graphs replays the list.
func NewReplay(ctx cu.CUContext, s cu.Stream, l List, capture, overlap bool) (*Replay, error) {
	r := &Replay{list: l, ctx: *(*C.CUcontext)(unsafe.Pointer(&ctx)), stream: C.CUstream(unsafe.Pointer(s.C()))}
	if !capture || len(l.steps) == 0 {
		return r, nil
	}
	o := C.int(0)
	if overlap {
		o = 1
	}
	at := C.int(-1)
	err := result(C.cux_capture(r.ctx, &l.steps[0], C.int(len(l.steps)), r.stream, o, &r.graph, &at))
	if err == NotSupported || err == Stub {
		r.graph = nil
		return r, nil
	}
	return r, r.named(at, err)
}

// Graph reports whether the list became a graph.
func (r *Replay) Graph() bool { return r.graph != nil }

func (r *Replay) named(at C.int, err error) error {
	if err != nil && at >= 0 {
		return fmt.Errorf("%s: %w", r.list.names[at], err)
	}
	return err
}

// Run executes the list and waits for its end.
//
// Allocs: none.
func (r *Replay) Run() error {
	if len(r.list.steps) == 0 {
		return nil
	}
	at := C.int(-1)
	code := C.cux_replay(r.ctx, r.graph, &r.list.steps[0], C.int(len(r.list.steps)), r.stream, &at)
	if code == C.CUDA_SUCCESS {
		return nil
	}
	return r.named(at, Error(code))
}

// Close frees the graph. The context must be current.
func (r *Replay) Close() error {
	g := r.graph
	r.graph, r.list = nil, List{}
	if g == nil {
		return nil
	}
	return result(C.cuGraphExecDestroy(g))
}

// Pinned returns n floats of page-locked memory; free it with Unpin.
func Pinned(n int) ([]float32, error) {
	if n == 0 {
		return nil, nil
	}
	var p unsafe.Pointer
	if err := result(C.cuMemHostAlloc(&p, C.size_t(4*n), C.CU_MEMHOSTALLOC_PORTABLE)); err != nil {
		return nil, err
	}
	v := unsafe.Slice((*float32)(p), n)
	clear(v)
	return v, nil
}

// Unpin frees what Pinned returned.
func Unpin(v []float32) error {
	if len(v) == 0 {
		return nil
	}
	return result(C.cuMemFreeHost(unsafe.Pointer(&v[0])))
}

// Zero clears memory of the GPU.
func Zero(p cu.DevicePtr, bytes int) error {
	if bytes == 0 {
		return nil
	}
	return result(C.cuMemsetD8(C.CUdeviceptr(p), 0, C.size_t(bytes)))
}

// Unload frees a module.
func Unload(m cu.Module) error {
	return result(C.cuModuleUnload(*(*C.CUmodule)(unsafe.Pointer(&m))))
}
