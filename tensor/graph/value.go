package graph

import (
	"fmt"
	"slices"

	"syntic/tensor"
	"syntic/weights"
)

// Type is the element type of an activation.
type Type uint8

const (
	// F32 activations are what every model computes in.
	F32 Type = iota
	// I32 activations are token ids, positions and where the largest elements are.
	I32
)

// Role says where a node's memory lives.
type Role uint8

const (
	// Temp nodes are results of operations; the plan gives them arena memory.
	Temp Role = iota
	// Input nodes are filled by the host before a run and keep their content.
	Input
	// Weight nodes stand for a Param, which the device packs as it likes.
	Weight
	// Const nodes hold host data fixed at recording.
	Const
	// StateRole nodes live in a State, which outlives the run.
	StateRole
)

// Node is one array of a recorded program. Nodes are made by a Builder; devices
// read them.
type Node struct {
	ID     int
	Role   Role
	Type   Type
	Shape  tensor.Shape
	Name   string    // of an input or output; else empty
	Param  *Param    // Weight
	State  *State    // StateRole
	Data   []float32 // Const
	Op     *Op       // the operation that makes it; nil unless Temp
	Gap    int       // elements left free after each row; 0 but where a device chose otherwise
	Half   bool      // the device keeps it in two bytes an element; a view is kept as its root
	alias  *Node     // the node whose memory this one shares, if any
	output bool      // the host reads it by name
	kept   bool      // an output, or the memory behind one
}

// Root returns the node that owns n's memory: n itself, or the node that n is
// another view of.
func (n *Node) Root() *Node {
	for n.alias != nil {
		n = n.alias
	}
	return n
}

// RowStride returns the elements from one row of the last dimension to the next.
func (n *Node) RowStride() int { return n.Shape.Last() + n.Gap }

// Floats returns the memory that the node's rows take, in units of 4 bytes.
func (n *Node) Floats() int {
	elems := n.Shape.Elems() + n.Shape.Rows()*n.Gap
	if n.Half {
		return (elems + 1) / 2
	}
	return elems
}

// Kept reports whether the host reads the node's memory after a run.
func (n *Node) Kept() bool { return n.kept }

// Viewed reports whether the node is another view of a node's memory.
func (n *Node) Viewed() bool { return n.alias != nil }

// Op is one recorded operation. Attr's type tells which; its documentation
// gives the meaning of In, whose optional entries may be nil.
type Op struct {
	Attr Attr
	In   []*Node
	Out  *Node
}

// Attr is an operation's kind and parameters: one of the *Op types here.
type Attr interface {
	// Kind returns the operation's name for lists and errors.
	Kind() string
}

// Value is a node while a model is recorded. Its shape is known, its data isn't.
type Value struct{ n *Node }

// Shape returns the value's dimensions; don't modify them.
func (v Value) Shape() tensor.Shape { return v.n.Shape }

// Dim returns dimension i; a negative i counts from the last.
func (v Value) Dim(i int) int {
	if i < 0 {
		i += len(v.n.Shape)
	}
	return v.n.Shape[i]
}

// Defined reports whether v is a value rather than the zero Value, which stands
// for an absent optional operand.
func (v Value) Defined() bool { return v.n != nil }

// Param is a model's weight: a name as the checkpoint spells it, a shape, and
// the tensor once it is loaded. Devices pack it when a Program is built, once
// per device, and share the packed form among Programs.
type Param struct {
	Name  string
	Shape tensor.Shape

	info   weights.Info
	loaded bool
	derive func(dst []float32, from [][]float32)
	moves  bool // derive only moves values
	from   []*Param
}

// NewParam returns a weight still to be loaded.
func NewParam(shape ...int) *Param { return &Param{Shape: shape} }

// Derived returns a weight computed from others when a device packs it, such as
// the rows of three projections laid one after the other, or a convolution with
// its batch norm folded in. fn fills dst, row-major in the given shape. Make it
// once per model: devices pack each Param once.
func Derived(shape tensor.Shape, fn func(dst []float32, from [][]float32), from ...*Param) *Param {
	return &Param{Shape: shape, derive: fn, from: from}
}

// Label returns the name for messages: a derived weight goes by its first
// source's.
func (p *Param) Label() string {
	if p.Name == "" && len(p.from) > 0 {
		return p.from[0].Label() + " (derived)"
	}
	return p.Name
}

// Stack returns the weight whose rows are those of all parts in turn.
func Stack(parts ...*Param) *Param {
	shape := parts[0].Shape.Clone()
	shape[0] = 0
	for _, p := range parts {
		shape[0] += p.Shape[0]
	}
	p := Derived(shape, func(dst []float32, from [][]float32) {
		for _, f := range from {
			dst = dst[copy(dst, f):]
		}
	}, parts...)
	p.moves = true
	return p
}

// Rows returns the weight made of rows [lo, hi) of p.
func Rows(p *Param, lo, hi int) *Param {
	shape := p.Shape.Clone()
	shape[0] = hi - lo
	n := shape.Elems() / max(hi-lo, 1)
	r := Derived(shape, func(dst []float32, from [][]float32) {
		copy(dst, from[0][lo*n:hi*n])
	}, p)
	r.moves = true
	return r
}

// Load gives the parameter its tensor. The shape must be the parameter's.
func (p *Param) Load(i weights.Info) error {
	if !slices.Equal(p.Shape, tensor.Shape(i.Shape)) {
		return fmt.Errorf("%s: shape %v, want %v", i.Name, tensor.Shape(i.Shape), p.Shape)
	}
	if !i.DType.Float() {
		return fmt.Errorf("%s: type %v isn't a floating-point one", i.Name, i.DType)
	}
	p.info, p.loaded = i, true
	return nil
}

// Holds returns a type that holds the values without loss: F16 or BF16 where the
// checkpoint has them so, all parts of a Stack alike, else F32.
func (p *Param) Holds() weights.DType {
	if p.derive == nil {
		if t := p.info.DType; p.loaded && (t == weights.F16 || t == weights.BF16) {
			return t
		}
		return weights.F32
	}
	if !p.moves {
		return weights.F32
	}
	t := p.from[0].Holds()
	for _, f := range p.from[1:] {
		if f.Holds() != t {
			return weights.F32
		}
	}
	return t
}

// Tensor returns the stored form where there is one: ok is false for derived
// parameters and for ones not loaded. Release it with Release after reading.
func (p *Param) Tensor() (t tensor.Tensor, ok bool) {
	if p.derive != nil || !p.loaded {
		return tensor.Tensor{}, false
	}
	return tensor.FromInfo(p.info), true
}

// Release tells the operating system that the stored form's pages aren't needed
// for now. A device calls it once it has packed the parameter.
func (p *Param) Release() {
	if p.derive == nil {
		p.info.Release()
	}
	for _, f := range p.from {
		f.Release()
	}
}

// Float32s returns the values, computed or widened as need be; the slice may be
// a view of a mapped file and must not be written.
func (p *Param) Float32s() ([]float32, error) {
	if p.derive == nil {
		if !p.loaded {
			return nil, fmt.Errorf("%s: not loaded", p.Name)
		}
		v, err := tensor.FromInfo(p.info).Float32s()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		return v, nil
	}
	from := make([][]float32, len(p.from))
	for i, f := range p.from {
		v, err := f.Float32s()
		if err != nil {
			return nil, err
		}
		from[i] = v
	}
	dst := make([]float32, p.Shape.Elems())
	p.derive(dst, from)
	return dst, nil
}

// State is memory that outlives a run and may be shared by Programs of one
// device, such as the keys and values a decoder keeps. The device allocates it
// at the first Build that uses it.
type State struct {
	Name  string
	Shape tensor.Shape
	Wide  bool // kept in float32 by devices that keep values in halves, too
}

// NewState returns a state of this shape, zero until something writes it.
func NewState(name string, shape ...int) *State { return &State{Name: name, Shape: shape} }
