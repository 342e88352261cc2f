//go:build cuda && linux

package cuda

import "syntic/tensor/graph"

// Precision is what a device computes in.
type Precision uint8

// The precisions. In halves, activations, states and the operands of products are
// f16 or bf16; sums, statistics, softmaxes and the program's outputs are f32.
const (
	F32 Precision = iota
	F16
	BF16
)

// String returns f32, f16 or bf16.
func (p Precision) String() string { return [...]string{"f32", "f16", "bf16"}[p] }

// Arrange implements graph.Device. In a half precision it has most values kept in
// halves. A program that reads a table of very many rows, such as a support
// memory, stays f32: reading the table takes its time, not its activations.
func (d *Device) Arrange(ops []*graph.Op) []*graph.Op {
	if d.opts.Precision == F32 {
		return ops
	}
	for _, op := range ops {
		switch op.Attr.(type) {
		case *graph.RowDotsOp, *graph.RowSumOp:
			return ops
		}
	}
	if d.halves() {
		ops = d.merge(ops)
	}
	for _, op := range ops {
		op.Out.Half = halved(op)
	}
	for _, op := range ops {
		switch op.Attr.(type) { // small differences decide
		case *graph.ArgMaxOp, *graph.TopKOp, *graph.NormalizerOp, *graph.SoftmaxOp:
			op.In[0].Root().Half = false
		case *graph.MultistepOp: // guidance multiplies them
			op.In[2].Root().Half = false
		}
		for _, n := range op.In {
			if n != nil && n.Root().Role == graph.StateRole {
				n.Root().Half = !n.Root().State.Wide
			}
		}
	}
	return ops
}

// halved reports whether an operation's result may be kept in halves: not what the
// host reads, indices, statistics and probabilities.
func halved(op *graph.Op) bool {
	if op.Out.Kept() || op.Out.Type != graph.F32 {
		return false
	}
	switch op.Attr.(type) {
	case *graph.SoftmaxOp, *graph.NormalizerOp, *graph.L2NormOp, *graph.GroupNormStatsOp:
		return false
	}
	return true
}

// kind tells a kernel how a value's elements are stored: 0 f32, 1 f16, 2 bf16.
func (d *Device) kind(n *graph.Node) int {
	if n != nil && n.Root().Half {
		return int(d.opts.Precision)
	}
	return 0
}
