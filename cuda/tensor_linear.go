//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// suitsProduct reports whether a product of these sizes goes to tensor cores.
func (d *Device) suitsProduct(k int) bool { return d.halves() && aligned(k) }

// halfMatrix returns a weight as [N,K] halves. With gates its rows come in turns of
// 16 values and their 16 gates.
func (d *Device) halfMatrix(p *graph.Param, layout graph.Layout, k, n int, gated bool) *weight {
	form := fmt.Sprintf("matrix %d gated %v", layout, gated)
	rows, row := n, func(i int) int { return i }
	if gated {
		rows, row = 32*ceil(n, 16), gateRow(n)
		n *= 2
	}
	return d.halfRows(p, form, rows, k, func(dst, v []float32, i int) {
		j := row(i)
		switch {
		case j < 0:
		case layout == graph.NK:
			copy(dst, v[j*k:(j+1)*k])
		default:
			for c := range k {
				dst[c] = v[c*n+j]
			}
		}
	})
}

// gateRow returns which of the 2n rows of values and gates lies at row i of the
// order that the kernels read; -1 for a row of zeros.
func gateRow(n int) func(i int) int {
	return func(i int) int {
		j := i/32*16 + i%16
		switch {
		case j >= n:
			return -1
		case i%32 < 16:
			return j
		}
		return n + j
	}
}

// gatedBias returns a bias in gateRow's order.
func gatedBias(node *graph.Node, n int) *weight {
	if node == nil {
		return nil
	}
	rows := 32 * ceil(n, 16)
	return &weight{key: packKey{node.Param, "gated bias"}, bytes: 4 * rows, make: func() ([]byte, error) {
		v, err := node.Param.Float32s()
		if err != nil {
			return nil, err
		}
		out, row := make([]float32, rows), gateRow(n)
		for i := range out {
			if j := row(i); j >= 0 {
				out[i] = v[j]
			}
		}
		return bytesOf(out), nil
	}}
}

// halfProduct is Out[m,n] = act(In[0]·wᵀ + bias + In[3]) on tensor cores, with the
// GEGLU of both halves of w's rows if gated.
func (d *Device) halfProduct(op *graph.Op, w, bias *weight, m, n, k int, act graph.Act, gated bool) *step {
	var s scratch
	x, residual := d.operandIn(&s, op.In[0]), d.operandIn(&s, op.In[3])
	nw, flags := n, 0
	if gated {
		nw, flags = 32*ceil(n, 16), outGEGLU
	}
	if d.kind(op.Out) == 0 {
		flags |= outF32
	}
	plan := d.planProduct(&s, m, nw, k, flags)
	return &step{s.floats(), present(w, bias), func(mem *memory, ws cu.DevicePtr) {
		if m*n == 0 {
			return
		}
		g := gemmArgs{
			e: epilogue{out: mem.at(op.Out), bias: bias.ptr(), residual: residual(mem, ws), n: int32(n), ldc: int32(n), ldr: int32(n), eachRows: 1, act: int32(act), flags: int32(flags), alpha: 1},
			a: x(mem, ws), w: w.ptr(), m: int32(m), nw: int32(nw), k: int32(k), lda: int32(k), ldw: int32(k), splits: 1,
		}
		mem.multiply(g, plan, ws)
	}}
}

// halfTop is Out[m] = the column of the largest of In[0]·wᵀ + bias: the product's blocks
// leave a key for each part of a row, which a last kernel compares.
func (d *Device) halfTop(op *graph.Op, a *topOp) *step {
	var s scratch
	x, w, bias := d.operandIn(&s, op.In[0]), d.halfMatrix(op.In[1].Param, a.Layout, a.K, a.N, false), plain(op.In[2])
	plan := d.planProduct(&s, a.M, a.N, a.K, outTop)
	parts := ceil(a.N, plan.part)
	keys := s.take(8 * a.M * parts)
	return &step{s.floats(), present(w, bias), func(m *memory, ws cu.DevicePtr) {
		if a.M*a.N == 0 {
			return
		}
		g := gemmArgs{
			e: epilogue{out: ws + cu.DevicePtr(keys), bias: bias.ptr(), n: int32(a.N), ldc: int32(parts), eachRows: 1, flags: outTop, alpha: 1},
			a: x(m, ws), w: w.ptr(), m: int32(a.M), nw: int32(a.N), k: int32(a.K), lda: int32(a.K), ldw: int32(a.K), splits: 1,
		}
		m.multiply(g, plan, ws)
		m.launch("tc_top", cux.Grid{X: a.M, Shared: 64}, new(cux.Args).Ptr(m.at(op.Out), g.e.out).Int(parts))
	}}
}

// planProduct plans a product of m rows with an epilogue of these flags.
func (d *Device) planProduct(s *scratch, m, n, k, flags int) tilePlan {
	if rows := d.fewRows(m, n); rows > 0 && flags&outGEGLU == 0 {
		return tilePlan{few: rows, part: 16}
	}
	tiles := func(rows int) int { return ceil(m, rows) }
	switch {
	case !d.hopper:
		side := d.side(tiles(128) * ceil(n, 128))
		return tilePlan{side: side, part: side / 2}
	case flags&outTop != 0: // of whole sums
		s = nil
	}
	return d.planTiles(s, tiles, m, n, k)
}

// fewRows returns how many rows a block of tc_few.cu takes of a product of m rows; 0
// where tiles suit it better: a block reads its rows whole for 16 columns.
func (d *Device) fewRows(m, n int) int {
	if m > 64 || m > 16 && ceil(n, 16) > 4*d.processors {
		return 0
	}
	rows := 8
	for rows < m {
		rows *= 2
	}
	for rows > 8 && ceil(n, 16)*ceil(m, rows) < d.processors {
		rows /= 2
	}
	return rows
}

// present drops absent weights.
func present(ws ...*weight) []*weight {
	var list []*weight
	for _, w := range ws {
		if w != nil {
			list = append(list, w)
		}
	}
	return list
}

// multiply appends a product as it was planned.
func (m *memory) multiply(g gemmArgs, p tilePlan, ws cu.DevicePtr) {
	d, rows, cols := m.dev, int(g.m), int(g.nw)
	switch {
	case p.few > 0:
		m.launch(d.tc("few", fmt.Sprint(p.few)), cux.Grid{X: ceil(cols, 16), Y: ceil(rows, p.few), Shared: 640 * p.few}, cux.Put(new(cux.Args), g))
	case p.side > 0:
		m.launch(d.tc("gemm", fmt.Sprint(p.side)), cux.Grid{X: ceil(rows, p.side) * ceil(cols, p.side), Threads: 128, Shared: d.stages * 2 * p.side * 64}, cux.Put(new(cux.Args), g))
	default:
		t := p.tile
		a, w := m.halfMap(g.a, int(g.k), rows, int(g.lda), t.m), m.halfMap(g.w, int(g.k), cols, int(g.ldw), t.n)
		g.splits, g.part = int32(p.splits), p.at(ws)
		grid := cux.Grid{X: min(d.processors, ceil(rows, t.m)*ceil(cols, t.n)*p.splits), Threads: 384, Shared: t.shared()}
		m.launch(d.tc("gemm90", t.String()), grid, cux.Put(cux.Put(cux.Put(new(cux.Args), a), w), g))
		if p.splits > 1 {
			m.finish(g.e, g.part, rows, cols, p.splits)
		}
	}
}

// side returns the side of the square tiles of a product that has so many tiles of
// 128: smaller ones where those would leave processors idle.
func (d *Device) side(tiles int) int {
	if tiles < d.processors {
		return 64
	}
	return 128
}

// halfMap describes rows of halves, ld apart, to the copy engine.
func (m *memory) halfMap(at cu.DevicePtr, cols, rows, ld, box int) cux.TensorMap {
	return m.tensorMap(at, []int{cols, rows}, []int{2 * ld}, []int{64, box}, []int{1, 1})
}

// tensorMap is cux.EncodeHalves.
func (m *memory) tensorMap(at cu.DevicePtr, dims, strides, box, step []int) cux.TensorMap {
	t, err := cux.EncodeHalves(at, dims, strides, box, step)
	if err != nil && m.err == nil {
		m.err = m.dev.fault(err)
	}
	return t
}
