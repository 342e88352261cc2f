package graph

import (
	"fmt"
	"slices"

	"syntic/tensor"
)

// Builder records operations. Its methods check shapes at once and panic with a
// *ShapeError, which Build turns into an error: models stay free of error
// plumbing, and a mistake names the layer and both shapes.
//
// A Builder is used by one goroutine, inside the function given to Build.
type Builder struct {
	nodes  []*Node
	ops    []*Op
	params map[*Param]*Node
	states map[*State]*Node
	inputs []*Node
	taps   map[string]bool
}

// ShapeError tells which layer was given shapes that don't fit.
type ShapeError struct {
	Layer string       // the weight's or value's name; may be empty
	Op    string       // the operation
	What  string       // what was expected
	A, B  tensor.Shape // the shapes that don't fit; B may be nil
}

// Error names the layer, the operation and the shapes.
func (e *ShapeError) Error() string {
	s := e.Op + ": " + e.What
	if e.A != nil {
		s += fmt.Sprintf(" (%v", e.A)
		if e.B != nil {
			s += fmt.Sprintf(" and %v", e.B)
		}
		s += ")"
	}
	if e.Layer != "" {
		s = e.Layer + ": " + s
	}
	return s
}

func fail(layer, op, what string, shapes ...tensor.Shape) {
	e := &ShapeError{Layer: layer, Op: op, What: what}
	if len(shapes) > 0 {
		e.A = shapes[0]
	}
	if len(shapes) > 1 {
		e.B = shapes[1]
	}
	panic(e)
}

func newBuilder(taps []string) *Builder {
	b := &Builder{params: map[*Param]*Node{}, states: map[*State]*Node{}, taps: map[string]bool{}}
	for _, t := range taps {
		b.taps[t] = true
	}
	return b
}

func (b *Builder) node(n *Node) *Node {
	for _, d := range n.Shape {
		if d < 0 {
			fail(n.Name, "shape", "negative dimension", n.Shape)
		}
	}
	n.ID = len(b.nodes)
	b.nodes = append(b.nodes, n)
	return n
}

// emit records an operation with one result.
func (b *Builder) emit(a Attr, t Type, shape tensor.Shape, in ...*Node) Value {
	for i, n := range in {
		if n != nil && n.Type != operandType(a, i, t) {
			fail(n.Name, a.Kind(), [...]string{F32: "floats are given where indices are wanted", I32: "indices are given where floats are wanted"}[n.Type], n.Shape)
		}
	}
	op := &Op{Attr: a, In: in}
	op.Out = b.node(&Node{Role: Temp, Type: t, Shape: shape.Clone(), Op: op})
	b.ops = append(b.ops, op)
	return Value{op.Out}
}

// operandType returns the element type of an operation's operand i, given its
// result's: indices where the operation's documentation says I32, values of the
// result's type for operations that only move data, floats elsewhere.
func operandType(a Attr, i int, result Type) Type {
	index := -1
	switch a.(type) {
	case *EmbedOp:
		index = 0
	case *GatherOp:
		index = 1
	case *CacheWriteOp:
		index = 2
	case *CacheSelectOp:
		index = max(i, 1) // all but the state
	case *AttentionOp, *MultistepOp:
		index = 4
	case *ConcatOp, *SliceOp, *PermuteOp:
		return result
	}
	if i == index {
		return I32
	}
	return F32
}

// view returns v's memory under another shape; it costs nothing at run time.
func (b *Builder) view(v Value, shape tensor.Shape) Value {
	return Value{b.node(&Node{Role: v.n.Role, Type: v.n.Type, Shape: shape.Clone(), alias: v.n, State: v.n.State, Data: v.n.Data})}
}

// Input declares an array of float32 that the host fills before each run.
func (b *Builder) Input(name string, shape ...int) Value { return b.input(name, F32, shape) }

// InputI32 declares an array of int32 that the host fills before each run.
func (b *Builder) InputI32(name string, shape ...int) Value { return b.input(name, I32, shape) }

func (b *Builder) input(name string, t Type, shape tensor.Shape) Value {
	if slices.ContainsFunc(b.inputs, func(n *Node) bool { return n.Name == name }) {
		fail(name, "Input", "the name is taken")
	}
	n := b.node(&Node{Role: Input, Type: t, Shape: shape.Clone(), Name: name})
	b.inputs = append(b.inputs, n)
	return Value{n}
}

// Output names a value that the host reads after each run. A view of an input
// or state can't be an output.
func (b *Builder) Output(name string, v Value) Value {
	if v.n.Root().Role != Temp {
		fail(name, "Output", "only a computed value can be an output", v.Shape())
	}
	if b.named(name) {
		fail(name, "Output", "the name is taken", v.Shape())
	}
	if v.n.output { // a second name for the same value
		v = b.view(v, v.Shape())
	}
	v.n.Name, v.n.output = name, true
	for n := v.n; n != nil; n = n.alias {
		n.kept = true
	}
	return v
}

// named reports whether there is an output of this name.
func (b *Builder) named(name string) bool {
	return slices.ContainsFunc(b.nodes, func(n *Node) bool { return n.output && n.Name == name })
}

// Tap makes an inner value an output under this name when the caller of Build
// asked for it, and returns whether it did. Models mark the values that golden
// tests compare.
func (b *Builder) Tap(name string, v Value) bool {
	if b.taps[name] {
		b.Output(name, v)
	}
	return b.taps[name]
}

// Const records values fixed at recording; they are not copied.
func (b *Builder) Const(data []float32, shape ...int) Value {
	if len(data) != tensor.Shape(shape).Elems() {
		fail("", "Const", fmt.Sprintf("%d values", len(data)), shape)
	}
	return Value{b.node(&Node{Role: Const, Shape: tensor.Shape(shape).Clone(), Data: data})}
}

// State returns the state's memory as a value.
func (b *Builder) State(s *State) Value {
	n, ok := b.states[s]
	if !ok {
		n = b.node(&Node{Role: StateRole, Shape: s.Shape.Clone(), State: s})
		b.states[s] = n
	}
	return Value{n}
}

func (b *Builder) param(p *Param) *Node {
	if p == nil {
		return nil
	}
	n, ok := b.params[p]
	if !ok {
		n = b.node(&Node{Role: Weight, Shape: p.Shape, Name: p.Label(), Param: p})
		b.params[p] = n
	}
	return n
}
