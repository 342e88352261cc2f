//go:build cuda && linux

package cuda

import (
	"fmt"
	"math"

	"gorgonia.org/cu"

	"syntic/tensor/graph"
)

// Prepare implements graph.Device.
func (d *Device) Prepare(op *graph.Op) (graph.Step, error) {
	for _, n := range append([]*graph.Node{op.Out}, op.In...) {
		if n != nil && n.Role != graph.Weight && n.Floats() > math.MaxInt32 {
			return nil, fmt.Errorf("a value of %v has more elements than the kernels count", n.Shape)
		}
	}
	if s := d.tensorStep(op); s != nil {
		return s, nil
	}
	switch a := op.Attr.(type) {
	case *graph.LinearOp:
		return d.linear(op, a)
	case *graph.MatMulOp:
		return d.matMul(op, a)
	case *graph.RowDotsOp:
		return d.rowDots(op, a)
	case *graph.RowSumOp:
		return d.rowSum(op, a)
	case *graph.ConvOp:
		return d.conv(op, a)
	case *graph.MaxPoolOp:
		return d.maxPool(op, a)
	case *graph.UpsampleOp:
		return d.upsample(op, a)
	case *graph.LayerNormOp:
		return d.layerNorm(op, a)
	case *graph.GroupNormOp:
		return d.groupNorm(op, a)
	case *graph.GroupNormStatsOp:
		return d.groupNormStats(op, a)
	case *graph.SoftmaxOp:
		return d.softmax(op, a)
	case *graph.NormalizerOp:
		return d.normalizer(op, a)
	case *graph.L2NormOp:
		return d.l2Norm(op, a)
	case *graph.AttentionOp:
		return d.attention(op, a)
	case *graph.CacheWriteOp:
		return d.cacheWrite(op, a)
	case *graph.CacheSelectOp:
		return d.cacheSelect(op, a)
	case *graph.MultistepOp:
		return d.multistep(op, a)
	case *graph.NotFiniteOp:
		return d.notFinite(op, a)
	case *graph.UnaryOp:
		return d.unary(op, a)
	case *graph.BinaryOp:
		return d.binary(op, a)
	case *graph.GEGLUOp:
		return d.geglu(op, a)
	case *graph.EmbedOp:
		return d.embed(op, a)
	case *graph.GatherOp:
		return d.gather(op, a)
	case *graph.ArgMaxOp:
		return d.argMax(op, a)
	case *graph.TopKOp:
		return d.topK(op, a)
	case *graph.ConcatOp:
		return d.concat(op, a)
	case *graph.SliceOp:
		return d.slice(op, a)
	case *graph.RepeatOp:
		return d.repeat(op, a)
	case *graph.PermuteOp:
		return d.permute(op, a)
	}
	return nil, fmt.Errorf("no kernel for %s", op.Attr.Kind())
}

// launches returns a step that needs no temporary memory, and these weights where
// they are there.
func launches(bind func(m *memory), weights ...*weight) *step {
	return &step{weights: present(weights...), bind: func(m *memory, _ cu.DevicePtr) { bind(m) }}
}
