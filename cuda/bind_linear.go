//go:build cuda && linux

package cuda

import (
	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// few is the number of rows up to which a product goes by chains of k rather than
// by tiles.
const few = 8

// matrix returns a weight as [K,N], rows padded to fours.
func matrix(p *graph.Param, layout graph.Layout, k, n int) (w *weight, ld int) {
	ld = ceil(n, 4) * 4
	form := [...]string{graph.NK: "matrix NK", graph.KN: "matrix KN"}[layout]
	return &weight{key: packKey{p, form}, bytes: 4 * k * ld, make: func() ([]byte, error) {
		v, err := p.Float32s()
		if err != nil {
			return nil, err
		}
		if layout == graph.KN && ld == n {
			return bytesOf(v), nil
		}
		w := make([]float32, k*ld)
		if layout == graph.KN {
			for i := range k {
				copy(w[i*ld:][:n], v[i*n:])
			}
		} else {
			transpose(w, v, k, n, ld)
		}
		return bytesOf(w), nil
	}}, ld
}

// transpose writes v [N,K] as rows of k, in squares that stay in the cache.
func transpose(w, v []float32, k, n, ld int) {
	const side = 32
	for j := 0; j < n; j += side {
		for i := 0; i < k; i += side {
			for jj := j; jj < min(n, j+side); jj++ {
				for ii := i; ii < min(k, i+side); ii++ {
					w[ii*ld+jj] = v[jj*k+ii]
				}
			}
		}
	}
}

// tile returns how many rows a block of a tiled product makes: 128 where that
// gives every processor two blocks. Bits don't depend on it.
func (d *Device) tile(m, n, parts int) int {
	if ceil(m, 128)*ceil(n, 64)*parts >= 2*d.processors {
		return 128
	}
	return 64
}

func (d *Device) linear(op *graph.Op, a *graph.LinearOp) (graph.Step, error) {
	w, ldw := matrix(op.In[1].Param, a.Layout, a.K, a.N)
	return d.product(op, w, plain(op.In[2]), a.M, a.N, a.K, op.In[0].RowStride(), ldw, op.Out.RowStride(), a.Act), nil
}

// product is Out = act(In[0]·w + bias + In[3]).
func (d *Device) product(op *graph.Op, w, bias *weight, m, n, k, lda, ldw, ldc int, act graph.Act) *step {
	return launches(func(mem *memory) {
		args := cux.Put(args(mem.view(op.Out), mem.view(op.In[0])).Ptr(w.ptr(), bias.ptr()), mem.view(op.In[3])).Int(m, n, k, lda, ldw, ldc, int(act))
		switch {
		case m*n == 0:
		case m <= few:
			mem.launch("linear_few", cux.Grid{X: ceil(n, 32)}, args)
		case d.tile(m, n, 1) == 128:
			mem.launch("linear_128", cux.Grid{X: ceil(m, 128), Y: ceil(n, 64)}, args)
		default:
			mem.launch("linear_64", cux.Grid{X: ceil(m, 64), Y: ceil(n, 64)}, args)
		}
	}, w, bias)
}

func (d *Device) matMul(op *graph.Op, a *graph.MatMulOp) (graph.Step, error) {
	kernel := [...]string{graph.NK: "matmul_nk", graph.KN: "matmul_kn"}[a.Layout]
	return launches(func(m *memory) {
		if n := a.Batch * ceil(a.M, 64) * ceil(a.N, 64); n > 0 {
			m.launch(kernel, cux.Grid{X: n}, args(m.view(op.Out), m.view(op.In[0]), m.view(op.In[1])).Int(a.M, a.N, a.K).F32(a.Scale))
		}
	}), nil
}
