//go:build cuda && linux

package cuda

import (
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// sumRows is how many rows of a table one block of row_sum adds up.
const sumRows = 2048

// table returns a weight in its stored type, and the end of the names of the
// kernels that read it: halves stay halves, for a support memory may be large.
func table(p *graph.Param) (*weight, string) {
	halves := map[tensor.DType]string{weights.F16: "_f16", weights.BF16: "_bf16"}
	if t, ok := p.Tensor(); ok && halves[t.DType] != "" {
		return &weight{key: packKey{p, "table"}, bytes: len(t.Data), make: func() ([]byte, error) { return t.Data, nil }}, halves[t.DType]
	}
	return plainParam(p), "_f32"
}

func (d *Device) rowDots(op *graph.Op, a *graph.RowDotsOp) (graph.Step, error) {
	rows, kind := table(op.In[1].Param)
	return launches(func(m *memory) {
		if a.B*a.M > 0 {
			m.launch("row_dots"+kind, cux.Grid{X: ceil(a.M, 8), Y: ceil(a.B, 4)}, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0]), rows.ptr()).Int(a.B, a.M, a.D))
		}
	}, rows), nil
}

func (d *Device) rowSum(op *graph.Op, a *graph.RowSumOp) (graph.Step, error) {
	rows, kind := table(op.In[1].Param)
	chunks := ceil(a.M, sumRows)
	return &step{chunks * a.B * a.D, []*weight{rows}, func(m *memory, ws cu.DevicePtr) {
		if chunks*a.B*a.D > 0 {
			m.launch("row_sum"+kind, cux.Grid{X: ceil(a.D, 32), Y: chunks, Z: ceil(a.B, 4)}, new(cux.Args).Ptr(ws, m.at(op.In[0]), rows.ptr()).Int(a.B, a.M, a.D))
		}
		m.each("row_sum_end", a.B*a.D, new(cux.Args).Ptr(m.at(op.Out), ws).Int(chunks))
	}}, nil
}
