//go:build cuda && linux

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cudashim"
	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// Options choose a GPU and how it computes; the zero value is the first GPU.
type Options struct {
	Ordinal   int    // which GPU, from 0
	Driver    string // libcuda.so.1 by path; "" is the system's
	NoGraph   bool   // launch kernel by kernel rather than as one captured graph
	Precision Precision
}

// Device computes on one GPU.
//
// Concurrency: any goroutine may build and run Programs; they run one at a time.
// Errors: after an error that leaves the GPU's context unusable the context is
// closed, and every further call says so.
type Device struct {
	opts       Options
	gpu        cu.Device
	ctx        cu.CUContext
	stream     cu.Stream
	name       string
	processors int
	capability int                  // 90 is 9.0
	hopper     bool                 // has the code of 9.0a
	stages     int                  // of the tensor-core kernels' pipelines
	overlap    bool                 // kernels wait for their predecessors themselves
	modules    map[string]cu.Module // by source file
	kernels    map[string]*kernel

	mu     sync.Mutex // held while a program runs or a weight is packed
	lost   error      // why the context is closed
	packed map[packKey]*packed
	states map[*graph.State]*stateMemory
	held   usage
}

// usage counts bytes of the GPU's memory.
type usage struct{ weights, states, programs int }

// stateMemory is a state's array and how many Programs hold it.
type stateMemory struct{ packed }

var _ graph.Device = (*Device)(nil)

// New opens a GPU. Errors: no driver or GPU, or one that the kernels don't run
// on.
func New(o Options) (*Device, error) {
	if err := cudashim.Open(o.Driver); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("counting the GPUs: %w", cux.Named(err))
	}
	if o.Ordinal < 0 || o.Ordinal >= n {
		return nil, fmt.Errorf("there is no GPU %d: the driver shows %d, counted from 0", o.Ordinal, n)
	}
	d := &Device{opts: o, modules: map[string]cu.Module{}, kernels: map[string]*kernel{}, packed: map[packKey]*packed{}, states: map[*graph.State]*stateMemory{}}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("GPU %d: %w", o.Ordinal, errors.Join(cux.Named(err), d.Close()))
	}
	return d, nil
}

func (d *Device) open() (err error) {
	if d.gpu, err = cu.GetDevice(d.opts.Ordinal); err != nil {
		return err
	}
	if d.name, err = d.gpu.Name(); err != nil {
		return err
	}
	major, minor, err := d.gpu.ComputeCapability()
	if err != nil {
		return err
	}
	d.capability = 10*major + minor
	if d.capability < 75 {
		return fmt.Errorf("%s has compute capability %d.%d; the kernels need 7.5", d.name, major, minor)
	}
	if d.processors, err = d.gpu.Attribute(cu.MultiprocessorCount); err != nil {
		return err
	}
	// Only code compiled for 9.0 holds the waits that overlapping needs; newer
	// GPUs translate that of 7.5.
	d.overlap, d.hopper = major == 9, d.capability == 90
	d.stages = 4
	if d.capability == 86 || d.capability == 89 { // newer GPUs translate the PTX of 8.0, which has 4
		d.stages = 3
	}
	if d.ctx, err = d.gpu.RetainPrimaryCtx(); err != nil {
		return err
	}
	leave, err := d.enter()
	defer leave()
	if err != nil {
		return err
	}
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return err
	}
	return d.loadKernels()
}

// enter makes the GPU's context current on this thread until leave is called.
func (d *Device) enter() (leave func(), err error) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread, cu.SetCurrentContext(d.ctx)
}

// Name implements graph.Device.
func (d *Device) Name() string { return fmt.Sprintf("cuda:%d %s", d.opts.Ordinal, d.name) }

// Batch implements graph.Device: 256 pictures of ViT-B/32 are 12800 rows.
func (d *Device) Batch() int { return 256 }

// Ahead implements graph.Device: a program takes some 25 µs to start and end, a
// decoder's step for one text about 150.
func (d *Device) Ahead() int { return 5 }

// Free returns the GPU's free memory in bytes; 0 where the driver doesn't tell.
func (d *Device) Free() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	leave, err := d.enter()
	defer leave()
	if err != nil || d.lost != nil {
		return 0
	}
	free, _, _ := cu.MemInfo() // zero where the driver can't tell
	return int(free)
}

// WeightBytes returns the memory that packed weights take so far.
func (d *Device) WeightBytes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held.weights
}

// Close implements graph.Device.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil || d.ctx == (cu.CUContext{}) {
		return nil
	}
	leave, err := d.enter()
	defer leave()
	errs := []error{err}
	for _, p := range d.packed {
		errs = append(errs, cu.MemFree(p.at))
	}
	for _, s := range d.states {
		errs = append(errs, cu.MemFree(s.at))
	}
	for _, m := range d.modules {
		errs = append(errs, cux.Unload(m))
	}
	if d.stream != (cu.Stream{}) {
		errs = append(errs, d.stream.Destroy())
	}
	d.lost = errors.New("the device is closed")
	errs = append(errs, d.gpu.ReleasePrimaryCtx())
	for i := range errs {
		errs[i] = cux.Named(errs[i])
	}
	return errors.Join(errs...)
}

// fault looks at an error of the driver: one that leaves the context unusable
// closes the context. The caller holds mu.
func (d *Device) fault(err error) error {
	err = cux.Named(err)
	var e cux.Error
	if errors.As(err, &e) && e.Sticky() && d.lost == nil {
		d.lost = fmt.Errorf("the context of %s is closed after %w; open the device anew", d.name, err)
		return errors.Join(d.lost, cux.Named(d.gpu.ResetPrimaryCtx()))
	}
	return err
}

// alloc returns memory of the GPU, at least one float. The caller holds mu and
// has entered.
func (d *Device) alloc(bytes int) (cu.DevicePtr, error) {
	p, err := cu.MemAlloc(int64(max(bytes, 4)))
	if err == nil {
		return p, nil
	}
	if err = d.fault(err); !errors.Is(err, cux.OutOfMemory) {
		return 0, err
	}
	free, total, _ := cu.MemInfo() // zeros where the driver can't tell
	return 0, fmt.Errorf("%w: %s more are wanted, %s of %s are free; this device's weights hold %s, states %s, programs %s",
		err, size(bytes), size(int(free)), size(int(total)), size(d.held.weights), size(d.held.states), size(d.held.programs))
}

// size writes bytes in mebibytes.
func size(n int) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// bytesOf returns the same memory as bytes.
func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// hold returns the memory of a state, zero and made for the first Program that
// uses it. The caller holds mu and has entered.
func (d *Device) hold(n *graph.Node) (cu.DevicePtr, error) {
	s := n.State
	m, ok := d.states[s]
	if !ok {
		m = &stateMemory{packed: packed{bytes: 4 * n.Floats()}}
		var err error
		if m.at, err = d.alloc(m.bytes); err != nil {
			return 0, err
		}
		if err := cux.Zero(m.at, m.bytes); err != nil {
			return 0, errors.Join(d.fault(err), cux.Named(cu.MemFree(m.at)))
		}
		d.states[s] = m
		d.held.states += m.bytes
	}
	m.users++
	return m.at, nil
}

// drop lets go of a state, which is freed with its last Program. The caller holds
// mu and has entered.
func (d *Device) drop(s *graph.State) error {
	m := d.states[s]
	if m.users--; m.users > 0 {
		return nil
	}
	delete(d.states, s)
	d.held.states -= m.bytes
	return cux.Named(cu.MemFree(m.at))
}
