//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// hopperTile is a tile of tc_gemm90.cu.
type hopperTile struct {
	m, n, stages int
	speed        float64 // of its main loop, relative: measured on an H100 at 8192³
}

var hopperTiles = []hopperTile{{128, 128, 6, 0.89}, {128, 160, 5, 0.88}, {256, 128, 4, 1}, {256, 160, 3, 1}}

// The costs of a product beside its main loop, counted as products of a processor:
// of writing a tile, in depths of k; of a finishing launch; and of a value of a split
// sum, written and read.
const (
	writeOut   = 400
	launching  = 10e6
	splitValue = 6
)

// shared returns the bytes of shared memory that a tile takes.
func (t hopperTile) shared() int { return t.stages*(t.m+t.n)*128 + 20480 + 128 }

// hopperTileFor returns the tile, and into how many parts its sums are split, with
// which n columns of sums of k products end first, where rows gives the tiles of rows.
func (d *Device) hopperTileFor(rows func(tile int) int, m, n, k int, maysplit bool) (best hopperTile, splits int) {
	least := 0.0
	for _, t := range hopperTiles {
		tiles := rows(t.m) * ceil(n, t.n)
		most := 1
		if maysplit {
			most = max(1, min(d.processors/tiles, k/(64*leastSteps)))
		}
		for s := 1; s <= most; s++ {
			cost := float64(ceil(tiles*s, d.processors)*t.m*t.n) * (float64(ceil(k, s))/t.speed + writeOut)
			if s > 1 {
				cost += launching + splitValue*float64(m*n*s)
			}
			if splits == 0 || cost < least {
				best, splits, least = t, s, cost
			}
		}
	}
	return best, splits
}

// leastSteps is the fewest steps of 64 along k that a split has.
const leastSteps = 6

// fewHalves is the number of rows up to which a product streams its weights.
const fewHalves = 16

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
	return &step{s.floats(), present(w, bias), func(mem *memory, ws cu.DevicePtr) {
		if m*n == 0 {
			return
		}
		g := gemmArgs{
			e: epilogue{out: mem.at(op.Out), bias: bias.ptr(), residual: residual(mem, ws), n: int32(n), ldc: int32(n), ldr: int32(n), eachRows: 1, act: int32(act), flags: int32(flags), alpha: 1},
			a: x(mem, ws), w: w.ptr(), m: int32(m), nw: int32(nw), k: int32(k), lda: int32(k), ldw: int32(k), splits: 1,
		}
		mem.multiply(g)
	}}
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

// multiply appends the kernel that suits a product best.
func (m *memory) multiply(g gemmArgs) {
	d, rows, cols := m.dev, int(g.m), int(g.nw)
	switch {
	case rows <= fewHalves && g.e.flags&outGEGLU == 0:
		per := 4
		if rows == 1 {
			per = 1
		}
		m.launch(d.tc("gemv", fmt.Sprint(per)), cux.Grid{X: ceil(int(g.e.n), 16), Y: ceil(rows, per), Threads: 128}, cux.Put(new(cux.Args), g))
	case d.hopper:
		t, _ := d.hopperTileFor(func(tile int) int { return ceil(rows, tile) }, rows, cols, int(g.k), false)
		a, w := m.halfMap(g.a, int(g.k), rows, int(g.lda), t.m), m.halfMap(g.w, int(g.k), cols, int(g.ldw), t.n)
		grid := cux.Grid{X: min(d.processors, ceil(rows, t.m)*ceil(cols, t.n)), Threads: 384, Shared: t.shared()}
		m.launch(d.tc("gemm90", fmt.Sprintf("%dx%d", t.m, t.n)), grid, cux.Put(cux.Put(cux.Put(new(cux.Args), a), w), g))
	default:
		side := d.side(ceil(rows, 128) * ceil(cols, 128))
		m.launch(d.tc("gemm", fmt.Sprint(side)), cux.Grid{X: ceil(rows, side) * ceil(cols, side), Threads: 128, Shared: d.stages * 2 * side * 64}, cux.Put(new(cux.Args), g))
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
