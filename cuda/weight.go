//go:build cuda && linux

package cuda

import (
	"errors"
	"unsafe"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
	"syntic/weights"
)

// packKey names one packed form of a weight.
type packKey struct {
	param *graph.Param
	form  string
}

// packed is memory on the GPU that steps of Programs share.
type packed struct {
	at    cu.DevicePtr
	bytes int
	users int
}

// weight is a packed form that a step needs. Its size is known when the step is
// prepared; it is uploaded when the program is bound, once per device.
type weight struct {
	key   packKey
	bytes int
	make  func() ([]byte, error)
	at    cu.DevicePtr
}

// ptr returns where a loaded weight lies; 0 for an absent one.
func (w *weight) ptr() cu.DevicePtr {
	if w == nil {
		return 0
	}
	return w.at
}

// load uploads a weight unless the device holds it. The caller holds mu and has
// entered.
func (d *Device) load(w *weight) error {
	p, ok := d.packed[w.key]
	if !ok {
		p = &packed{bytes: w.bytes}
		if err := weights.Guard(func() error { return d.upload(p, w) }); err != nil {
			if p.at != 0 && d.lost == nil {
				err = errors.Join(err, cux.Named(cu.MemFree(p.at)))
			}
			return err
		}
		d.packed[w.key] = p
		d.held.weights += p.bytes
		w.key.param.Release()
	}
	p.users++
	w.at = p.at
	return nil
}

func (d *Device) upload(p *packed, w *weight) error {
	data, err := w.make()
	if err != nil {
		return err
	}
	if p.at, err = d.alloc(len(data)); err != nil || len(data) == 0 {
		return err
	}
	return d.fault(cu.MemcpyHtoD(p.at, unsafe.Pointer(&data[0]), int64(len(data))))
}

// Trim implements graph.Device.
func (d *Device) Trim() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return
	}
	leave, err := d.enter()
	defer leave()
	if err != nil {
		return
	}
	for key, p := range d.packed {
		if p.users == 0 && cu.MemFree(p.at) == nil {
			delete(d.packed, key)
			d.held.weights -= p.bytes
		}
	}
}

// plain returns a weight as it is, float32; nil for an absent one.
func plain(n *graph.Node) *weight {
	if n == nil {
		return nil
	}
	return plainParam(n.Param)
}

func plainParam(p *graph.Param) *weight {
	return &weight{key: packKey{p, "plain"}, bytes: 4 * p.Shape.Elems(), make: func() ([]byte, error) {
		v, err := p.Float32s()
		return bytesOf(v), err
	}}
}

// operand returns a weight's values; nil for an activation.
func operand(n *graph.Node) *weight {
	if n.Role != graph.Weight {
		return nil
	}
	return plain(n)
}
