package conv

import (
	"syntic/kernels/gemm"
	"syntic/kernels/ref"
)

// A first layer has few channels, so a row of a receptive field is a short
// run: gathering the rows of A takes a sixth of the time of a ResNet's 7x7
// stem. Instead a task puts zeros around its few rows of the picture; there the
// fields of neighbouring outputs are rows of A that overlap, and bandTile
// multiplies them in place: one chain of multiply-adds in the order of gemm,
// and so to the same bits.

// bandTileFunc computes c[i·ldc+n] = relu(Σ a[i·step+r·runStep+j]·b[(r·run+j)·cols+n] + bias[n])
// for all outputs i and columns n of a tile, r over runs and j over run.
type bandTileFunc func(c []float32, ldc int, a []float32, step, runs, run, runStep int, b, bias []float32, relu bool)

// bandShape reports whether the convolution is of that kind: one chain of
// gemm's, few channels, whole tiles of channels and a tile of outputs per row.
func (o *Op) bandShape() bool {
	g := o.geo
	return o.algo == Direct && o.k.bandTile != nil && g.Groups == 1 && g.DilW == 1 && g.C <= 8 && g.KW > 1 &&
		g.C*g.KH*g.KW <= gemm.KC && g.O%o.k.bandCols == 0 && g.OutW() >= o.k.bandRows && !o.spec.Residual
}

// bandRow is the length of a row of the padded picture.
func (o *Op) bandRow() int { return (o.geo.W + o.geo.PadL + o.geo.PadR) * o.geo.C }

// planBand makes tasks of a few output rows each.
func (p *plan) planBand(o *Op) {
	g := o.geo
	p.fillRows = max(1, min(8, (g.N*p.rows+8*o.pool.Workers()-1)/(8*o.pool.Workers())))
	p.fusedTasks = g.N * ((p.rows + p.fillRows - 1) / p.fillRows)
	p.scratch = ((p.fillRows-1)*p.stepH + p.extentH) * o.bandRow()
}

// packBand packs the weights as the direct path does, but keeps the panels.
func (o *Op) packBand(w []float32) []float32 {
	g, k, p := o.geo, o.k.gemm, &o.plan
	b := orderTaps(w, g, 0)
	panels := o.pool.Alloc(k.PackedLen(p.depth, g.O))
	k.PackInto(panels, b, 0, gemm.NK, p.depth, g.O)
	return panels
}

// runBand computes some output rows of one picture.
func (o *Op) runBand(worker, task int) {
	g, p := o.geo, &o.plan
	per := (p.rows + p.fillRows - 1) / p.fillRows
	n, r0 := task/per, task%per*p.fillRows
	r1 := min(r0+p.fillRows, p.rows)
	band, row := o.pool.Scratch(worker), o.bandRow()
	h0 := r0*g.StrideH - g.PadT
	for h := h0; h < (r1-1)*g.StrideH-g.PadT+p.extentH; h++ {
		line := band[(h-h0)*row : (h-h0+1)*row]
		if h < 0 || h >= g.H {
			clear(line)
			continue
		}
		x := o.x[(n*g.H+h)*g.W*g.C:][:g.W*g.C]
		clear(line[:g.PadL*g.C])
		clear(line[g.PadL*g.C+len(x):])
		if line = line[g.PadL*g.C:][:len(x)]; o.spec.Norm {
			o.normalise(line, x, n)
		} else {
			copy(line, x)
		}
	}
	rows, cols := o.k.bandRows, o.k.bandCols
	for r := r0; r < r1; r++ {
		y := o.dst[(n*p.rows+r)*p.cols*g.O:][:p.cols*g.O]
		for q := 0; q < p.cols; q += rows {
			q := min(q, p.cols-rows) // the last tile repeats some outputs
			a := band[(r-r0)*g.StrideH*row+q*g.StrideW*g.C:]
			for j := 0; j < g.O; j += cols {
				var bias []float32
				if o.bias != nil {
					bias = o.bias[j : j+cols]
				}
				o.k.bandTile(y[q*g.O+j:], g.O, a, g.StrideW*g.C, g.KH, g.KW*g.C, g.DilH*row, o.w.taps[j*p.depth:], bias, o.spec.Act == ref.ReLU)
			}
		}
		if o.spec.Act > ref.ReLU {
			o.k.elem.Act(y, y, o.spec.Act)
		}
	}
}
