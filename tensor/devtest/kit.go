package devtest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"

	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// kit supplies a case with weights, inputs and states. Values depend on their
// name, the step and the batch item alone, so that the same item can be run in
// another batch.
type kit struct {
	n     int // the batch
	first int // the first item's number

	weights map[string]*graph.Param
	states  map[string]*graph.State
	inputs  []input
	outputs []string
	inner   []string // the values that mid marked
}

// input is an input of the program recorded last, and its values.
type input struct {
	name   string
	fill   func(step int) []float32 // I32 values as bits
	number bool                     // I32
}

func newKit(n int) *kit {
	return &kit{n: n, weights: map[string]*graph.Param{}, states: map[string]*graph.State{}}
}

// build records the case's program on a device.
func (k *kit) build(d graph.Device, record func(k *kit, b *graph.Builder), taps ...string) (*graph.Program, error) {
	k.inputs, k.outputs, k.inner = nil, nil, nil
	return graph.Build(d, func(b *graph.Builder) { record(k, b) }, taps...)
}

// fill gives a program its inputs of a step.
func fill(p *graph.Program, inputs []input, step int) {
	for _, in := range inputs {
		if in.number {
			copy(p.I32(in.name), int32s(in.fill(step)))
		} else {
			copy(p.F32(in.name), in.fill(step))
		}
	}
}

// stream is a fixed sequence of random bits for a name.
func stream(name string, parts ...int) func() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, name, parts)
	s := h.Sum64()
	return func() uint64 {
		s += 0x9E3779B97F4A7C15
		z := s
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return z ^ z>>31
	}
}

// uniform returns n values in [-1,1).
func uniform(next func() uint64, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(next()>>40)*0x1p-23 - 1
	}
	return v
}

// weight returns the parameter of a name, uniform with variance 1/fan-in; a
// vector is 1 + 0.3·v when its name ends in "w", 0.3·v otherwise.
func (k *kit) weight(name string, shape ...int) *graph.Param {
	return k.weightAs(name, weights.F32, shape...)
}

// weightAs stores the parameter in another type.
func (k *kit) weightAs(name string, t weights.DType, shape ...int) *graph.Param {
	if p, ok := k.weights[name]; ok {
		return p
	}
	v := uniform(stream("weight "+name), tensor.Shape(shape).Elems())
	scale, shift := float32(0.3), float32(0)
	if len(shape) > 1 {
		scale = float32(math.Sqrt(3 / float64(tensor.Shape(shape[1:]).Elems())))
	} else if name[len(name)-1] == 'w' {
		shift = 1
	}
	info := weights.Info{Name: name, Shape: shape}
	for _, x := range v {
		info.Data = binary.LittleEndian.AppendUint32(info.Data, math.Float32bits(float32(x*scale)+shift))
	}
	info, err := weights.Convert(info, t)
	p := graph.NewParam(shape...)
	p.Name = name
	if err == nil {
		err = p.Load(info)
	}
	if err != nil {
		panic(err)
	}
	k.weights[name] = p
	return p
}

// derived keeps a parameter computed from others, so that it is made once.
func (k *kit) derived(name string, f func() *graph.Param) *graph.Param {
	if k.weights[name] == nil {
		k.weights[name] = f()
	}
	return k.weights[name]
}

// state returns the state of a name, [n, shape...].
func (k *kit) state(name string, shape ...int) *graph.State {
	key := fmt.Sprint(name, k.n, k.first)
	if k.states[key] == nil {
		k.states[key] = graph.NewState(name, append([]int{k.n}, shape...)...)
	}
	return k.states[key]
}

// items fills an input of n batch items, each by f.
func (k *kit) items(name string, n int, f func(next func() uint64) []float32) func(step int) []float32 {
	first := k.first
	return func(step int) []float32 {
		var v []float32
		for i := range n {
			v = append(v, f(stream("input "+name, step, first+i))...)
		}
		return v
	}
}

// wide returns the state of a name in full precision, of a shape that has no batch.
func (k *kit) wide(name string, shape ...int) *graph.State {
	if k.states[name] == nil {
		k.states[name] = graph.NewState(name, shape...)
		k.states[name].Wide = true
	}
	return k.states[name]
}

// vector records an input [n] of values in [-1,1), which has no batch.
func (k *kit) vector(b *graph.Builder, name string, n int) graph.Value {
	k.inputs = append(k.inputs, input{name, func(step int) []float32 { return uniform(stream("input "+name, step), n) }, false})
	return b.Input(name, n)
}

// words records an input [n] of whole numbers that set fills in.
func (k *kit) words(b *graph.Builder, name string, n int, set func(step int, dst []int32)) graph.Value {
	k.inputs = append(k.inputs, input{name, func(step int) []float32 {
		v := make([]float32, n)
		set(step, int32s(v))
		return v
	}, true})
	return b.InputI32(name, n)
}

// in records an input [n, shape...] of values in [-1,1).
func (k *kit) in(b *graph.Builder, name string, shape ...int) graph.Value {
	n := tensor.Shape(shape).Elems()
	k.inputs = append(k.inputs, input{name, k.items(name, k.n, func(next func() uint64) []float32 { return uniform(next, n) }), false})
	return b.Input(name, append([]int{k.n}, shape...)...)
}

// few records an input [n, shape...] of few values: ties, zeros of both signs,
// infinities, and NaNs where so many of a hundred are wanted.
func (k *kit) few(b *graph.Builder, name string, nans int, shape ...int) graph.Value {
	n := tensor.Shape(shape).Elems()
	inf := float32(math.Inf(1))
	values := []float32{-inf, -1, float32(math.Copysign(0, -1)), 0, 0.5, inf}
	k.inputs = append(k.inputs, input{name, k.items(name, k.n, func(next func() uint64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = values[next()%uint64(len(values))]
			if next()%100 < uint64(nans) {
				v[i] = float32(math.NaN())
			}
		}
		return v
	}), false})
	return b.Input(name, append([]int{k.n}, shape...)...)
}

// made records an input as an operation's result: devices that keep those in halves
// then read halves.
func (k *kit) made(b *graph.Builder, name string, shape ...int) graph.Value {
	return b.Scale(k.in(b, name, shape...), 1)
}

// mask records an input [n, shape...] of ones and zeros, about a third of it
// zeros.
func (k *kit) mask(b *graph.Builder, name string, shape ...int) graph.Value {
	n := tensor.Shape(shape).Elems()
	k.inputs = append(k.inputs, input{name, k.items(name, k.n, func(next func() uint64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(min(next()%3, 1))
		}
		return v
	}), false})
	return b.Input(name, append([]int{k.n}, shape...)...)
}

// ids records an input [n, shape...] of whole numbers in [0,most).
func (k *kit) ids(b *graph.Builder, name string, most int, shape ...int) graph.Value {
	n := tensor.Shape(shape).Elems()
	k.inputs = append(k.inputs, input{name, k.items(name, k.n, func(next func() uint64) []float32 {
		v := make([]float32, n)
		for i := range v {
			int32s(v)[i] = int32(next() % uint64(most))
		}
		return v
	}), true})
	return b.InputI32(name, append([]int{k.n}, shape...)...)
}

// number records an input [1] that is f(step).
func (k *kit) number(b *graph.Builder, name string, f func(step int) int) graph.Value {
	k.inputs = append(k.inputs, input{name, func(step int) []float32 {
		v := make([]float32, 1)
		int32s(v)[0] = int32(f(step))
		return v
	}, true})
	return b.InputI32(name, 1)
}

// out names a result.
func (k *kit) out(b *graph.Builder, name string, v graph.Value) {
	b.Output(name, v)
	k.outputs = append(k.outputs, name)
}

// mid marks an inner value. Every one of them is an output of the reference's
// program, so that the reference fuses nothing.
func (k *kit) mid(b *graph.Builder, v graph.Value) graph.Value {
	name := fmt.Sprintf("inner %d", len(k.inner))
	b.Tap(name, v)
	k.inner = append(k.inner, name)
	return v
}
