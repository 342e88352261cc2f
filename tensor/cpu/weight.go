package cpu

import (
	"runtime"

	"syntic/kernels/par"
	"syntic/tensor/graph"
)

// packKey names one packed form of a weight.
type packKey struct {
	param *graph.Param
	form  string
}

// packed is a packed form in memory and how many steps of programs use it.
type packed struct {
	value any
	bytes int
	users int
}

// weight is a packed form that a step needs. Its size is known when the step is
// prepared; it is made when the program is bound, once per device.
type weight[T any] struct {
	key   packKey
	bytes int
	make  func() (T, error)
	value T
}

// held is a weight of any type.
type held interface {
	packed() graph.Packed
	load(d *Device) error
	drop(d *Device)
}

func (w *weight[T]) packed() graph.Packed { return graph.Packed{Form: w.key, Bytes: w.bytes} }

// get returns the packed form; nothing for an absent weight.
func (w *weight[T]) get() (v T) {
	if w == nil {
		return v
	}
	return w.value
}

// collectEvery bounds the garbage of packing: weights computed from others are
// copies that live for one pack, and the collector alone would let them grow to
// the size of the packed weights themselves.
const collectEvery = 64 << 20

// load makes the form unless the device holds it.
func (w *weight[T]) load(d *Device) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.packed[w.key]
	if !ok {
		v, err := w.make()
		if err != nil {
			return err
		}
		p = &packed{value: v, bytes: w.bytes}
		d.packed[w.key] = p
		d.bytes += w.bytes
		w.key.param.Release()
		if d.fresh += w.bytes; d.fresh > collectEvery {
			d.fresh = 0
			runtime.GC()
		}
	}
	p.users++
	w.value = p.value.(T)
	return nil
}

// drop tells that the step is gone.
func (w *weight[T]) drop(d *Device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.packed[w.key]; p != nil {
		p.users--
	}
}

// Trim implements graph.Device.
func (d *Device) Trim() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, p := range d.packed {
		if p.users == 0 {
			delete(d.packed, key)
			d.bytes -= p.bytes
		}
	}
	runtime.GC()
}

// copyBelow is the size up to which a plain weight is copied rather than read
// where it lies. Large ones are embedding tables, of which a run reads few rows.
const copyBelow = 1 << 20

// plain returns a weight as it is, float32; nil for an absent one.
func plain(n *graph.Node) *weight[[]float32] {
	if n == nil {
		return nil
	}
	w := &weight[[]float32]{key: packKey{n.Param, "plain"}}
	size := 4 * n.Shape.Elems()
	if size < copyBelow {
		w.bytes = size
	}
	w.make = func() ([]float32, error) {
		v, err := n.Param.Float32s()
		if err != nil || size >= copyBelow {
			return v, err
		}
		c := par.Aligned(len(v))
		copy(c, v)
		return c, nil
	}
	return w
}

// operand returns a weight's values; nil for an activation.
func operand(n *graph.Node) *weight[[]float32] {
	if n.Role != graph.Weight {
		return nil
	}
	return plain(n)
}

// needs lists the weights that are there.
func needs(weights ...held) []held {
	var list []held
	for _, w := range weights {
		if p, ok := w.(*weight[[]float32]); ok && p == nil {
			continue
		}
		list = append(list, w)
	}
	return list
}
