package graph

import (
	"cmp"
	"slices"
)

// alignment of every buffer, in floats: one cache line.
const alignment = 64 / 4

// Plan is the memory of a program: one arena, in which buffers whose lifetimes
// don't meet share addresses. Sizes and offsets count floats (4 bytes).
type Plan struct {
	Ops       []*Op
	Inputs    []*Node
	Outputs   []*Node
	Arena     int     // floats in all
	Workspace []int   // offset of each operation's temporary memory
	FLOPs     float64 // of a run, by the plain formulas: a multiplication and an addition are two
	offsets   map[*Node]int
}

// Offset returns where the arena holds a Temp or Input node, through views.
func (p *Plan) Offset(n *Node) int { return p.offsets[n.Root()] }

// buffer is a stretch of memory needed from operation first to last.
type buffer struct {
	size, first, last int
	offset            int
}

// plan assigns arena offsets. An operation that works element by element or row
// by row writes over its first operand when nothing reads that any more.
func plan(ops []*Op, inputs []*Node, outputs []*Node, workspace []int) *Plan {
	end := len(ops)
	last := make(map[*Node]int)
	for i, op := range ops {
		for _, n := range op.In {
			if n != nil {
				last[n.Root()] = i
			}
		}
	}
	for _, n := range outputs {
		last[n.Root()] = end
	}
	for i, op := range ops {
		if in := op.In[0]; inPlace(op) && in.Root().Role == Temp && in.Root().Half == op.Out.Half && last[in.Root()] == i {
			op.Out.alias = in.Root()
			last[in.Root()] = max(i, last[op.Out])
		}
	}
	p := &Plan{Ops: ops, Inputs: inputs, Outputs: outputs, Workspace: make([]int, len(ops)), offsets: map[*Node]int{}}
	var all []*buffer
	owner := make(map[*Node]*buffer)
	for _, n := range inputs {
		owner[n] = &buffer{size: n.Shape.Elems(), first: 0, last: end}
		all = append(all, owner[n])
	}
	temp := make([]*buffer, len(ops))
	for i, op := range ops {
		if n := op.Out; n.alias == nil {
			owner[n] = &buffer{size: n.Floats(), first: i, last: max(i, last[n])}
			all = append(all, owner[n])
		}
		temp[i] = &buffer{size: workspace[i], first: i, last: i}
		all = append(all, temp[i])
	}
	p.Arena = place(all)
	for n, b := range owner {
		p.offsets[n] = b.offset
	}
	for i, b := range temp {
		p.Workspace[i] = b.offset
	}
	return p
}

// Spread leaves a cache line free after each row of values whose rows are a
// multiple of 4096 bytes long and that only products write and read. Such rows
// fall into the same few lines of the first cache: a product must then use half
// its tile to write them and copy them to read them.
func Spread(ops []*Op) {
	plain := make(map[*Node]bool) // read by something else than a product's rows
	for _, op := range ops {
		_, product := op.Attr.(*LinearOp)
		for i, in := range op.In {
			for n := in; n != nil; n = n.alias {
				plain[n] = plain[n] || !product || i > 0 || in.alias != nil
			}
		}
	}
	for _, op := range ops {
		if n := op.Out; !plain[n] && !n.kept && n.alias == nil && n.Shape.Last()%1024 == 0 && n.Shape.Rows() > 1 {
			if _, product := op.Attr.(*LinearOp); product {
				n.Gap = alignment
			}
		}
	}
}

// inPlace reports whether every kernel of this kind reads an element of its
// first operand only before it writes that element of the result, which has as
// many elements.
func inPlace(op *Op) bool {
	switch op.Attr.(type) {
	case *UnaryOp, *BinaryOp, *LayerNormOp, *L2NormOp, *SoftmaxOp:
		return true
	}
	return false
}

// place gives every buffer the lowest offset free over its lifetime, largest
// buffers first, and returns the total size. It is quadratic in the number of
// buffers: 4 ms for the largest program, the Stable Diffusion UNet.
func place(all []*buffer) int {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b *buffer) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
	})
	var placed []*buffer // by offset
	total := 0
	for _, b := range order {
		size := (b.size + alignment - 1) / alignment * alignment
		if size == 0 {
			continue
		}
		at := 0
		for _, o := range placed {
			if o.last < b.first || b.last < o.first {
				continue
			}
			if at+size <= o.offset {
				break
			}
			at = max(at, (o.offset+o.size+alignment-1)/alignment*alignment)
		}
		b.offset = at
		total = max(total, at+size)
		i, _ := slices.BinarySearchFunc(placed, at, func(o *buffer, at int) int { return cmp.Compare(o.offset, at) })
		placed = slices.Insert(placed, i, b)
	}
	return total
}
