package conv

import (
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
)

// plan cuts a convolution into tasks. Its numbers affect speed alone: gemm's
// bits depend on neither the rows nor the columns that are computed together.
//
// The positions of a picture's grid are output pixels (Direct) or tiles of
// 2x2 or 4x4 of them (Winograd). Filling writes one row of A per position;
// multiplying turns rows of A into outputs.
//
// Winograd's weights are expanded from their taps before they are multiplied: a
// chunk of columns of all points at a time, which all tiles of a super-block
// use.
//
// Where the packed weights are small, a task fills a few rows that stay in its
// core's L2 and multiplies them at once. Where they are large, a fused task
// would stream all of them through the cache for those few rows; then all rows
// of a super-block of positions are filled into the workspace first, and tasks
// multiply them by some columns of one matrix each, so that weights are read
// once per super-block. Winograd's products then go through the workspace too
// and a third step turns them into outputs.
type plan struct {
	rows, cols       int // grid of one picture
	stepH, stepW     int // input rows and columns from one position to the next
	extentH, extentW int // input rows and columns that a position reads
	points           int // matrices: Winograd's points, else 1

	lda      int // floats from one row of A to the next
	depth    int // K of one product
	inPlace  bool
	nb       int // output channels of a multiplication
	chunks   int
	fillRows int // most positions of a piece

	superRows int // most rows of a super-block
	subRows   int // most rows of a multiplication

	pieces     []piece
	split      bool
	supers     []super
	fusedTasks int

	workspace int
	scratch   int // per worker: gemm, band, patches, then A or products
	bandAt    int
	wideAt    int // halves of weights, widened
	patchAt   int
	blockAt   int // A of a fused task
	productAt int // its products; in the workspace with split

	// Winograd's expanded weights, in the workspace: a chunk's columns of every point.
	expandAt, expandPlane int
	expandParts           int // tasks per panel
}

// piece is the positions [a,b) of picture n.
type piece struct{ n, a, b int }

// super is a range of pieces and of positions counted over all pictures.
type super struct{ p0, p1, m0, m1 int }

const (
	fusedWeights = 3 << 20  // bytes of packed weights up to which tasks are fused
	superBytes   = 16 << 20 // bytes of A and products in the workspace
	chunkColumns = 64       // output channels of a multiplication, about
	expandBytes  = 8 << 20  // expanded weights of a chunk
	expandOnce   = 48 << 20 // expanded weights up to which super-blocks share them
)

func newPlan(o *Op) plan {
	g := o.geo
	p := plan{rows: g.OutH(), cols: g.OutW(), stepH: g.StrideH, stepW: g.StrideW,
		extentH: (g.KH-1)*g.DilH + 1, extentW: (g.KW-1)*g.DilW + 1, points: 1}
	if o.algo == Depthwise {
		p.fusedTasks = g.N * p.rows
		p.bandAt = g.O // after the sums of one output
		p.scratch = p.bandAt + p.extentH*g.W*g.C
		return p
	}
	p.depth = g.C / g.Groups * g.KH * g.KW
	if o.bandShape() {
		p.planBand(o)
		return p
	}
	if m := o.tile(); m > 0 {
		p.rows, p.cols = (p.rows+m-1)/m, (p.cols+m-1)/m
		p.stepH, p.stepW, p.extentH, p.extentW = m, m, m+2, m+2
		p.points = (m + 2) * (m + 2)
		p.depth = g.C
	}
	pointwise := o.pointwise()
	p.inPlace = pointwise && !o.spec.Norm
	p.lda = p.depth * g.Groups
	if !pointwise && 4*p.lda%512 == 0 {
		p.lda += 16 // rows a power of two apart would share few sets of the caches
	}
	if p.inPlace {
		p.lda = g.C
	}
	p.size(o)
	return p
}

// tile returns the outputs per side of a Winograd tile, 0 for Direct.
func (o *Op) tile() int {
	switch o.algo {
	case WinogradF2:
		return 2
	case WinogradF4:
		return 4
	}
	return 0
}

// pointwise reports whether a receptive field is one pixel and every pixel is
// one, so that A is x, or x normalised.
func (o *Op) pointwise() bool {
	g := o.geo
	return g.KH == 1 && g.KW == 1 && g.StrideH == 1 && g.StrideW == 1 && g.PadT+g.PadL+g.PadB+g.PadR == 0
}

func (p *plan) size(o *Op) {
	g, k, workers := o.geo, o.k.gemm, o.pool.Workers()
	l2 := isa.Caches().L2
	if l2 == 0 {
		l2 = 1 << 20
	}
	total := g.N * p.rows * p.cols
	perRow := 4 * p.points * p.lda
	if o.tile() > 0 {
		perRow += 4 * p.points * g.O
	}
	mr := k.MR()
	p.fillRows = max(1, min(8, l2/2/perRow/mr)) * mr
	p.split = 4*p.points*p.depth*g.O > fusedWeights || total < 2*workers*min(p.fillRows, 2*mr)
	p.nb, p.chunks = g.O/g.Groups, g.Groups
	if p.split {
		p.fillRows = max(1, min(16, (total+4*workers-1)/(4*workers)))
	}
	p.cut(o)
	p.fusedTasks = len(p.pieces)
	if p.split {
		p.group(total, perRow)
	}
	if o.tile() > 0 {
		p.chunk(o)
	}
	if p.split {
		p.divide(o)
	}
	if o.tile() > 0 {
		p.expandAt = p.workspace
		p.workspace += p.points * p.expandPlane
	}
	p.layout(o)
}

// chunk chooses how many columns of weights are expanded at a time: all of them
// where one expansion serves several super-blocks or is small, else what stays
// in L3 beside the tiles.
func (p *plan) chunk(o *Op) {
	g, nr := o.geo, o.k.gemm.NR()
	panels := (g.O + nr - 1) / nr
	panel := 4 * p.points * g.C * nr // bytes
	per := panels
	if all := panels * panel; p.split && (len(p.supers) == 1 || all > expandOnce) && all > expandBytes {
		per = max(1, expandBytes/panel)
		p.chunks = (panels + per - 1) / per
		per = (panels + p.chunks - 1) / p.chunks
	}
	p.nb, p.chunks = per*nr, (panels+per-1)/per
	p.expandPlane = per*nr*g.C + planeGap
	p.expandParts = max(1, min(g.C*nr/(2*expandLen), 8*o.pool.Workers()/per))
}

// expands returns the expansion tasks of a chunk.
func (p *plan) expands(o *Op, chunk int) int {
	nr := o.k.gemm.NR()
	return (min(p.nb, o.geo.O-chunk*p.nb) + nr - 1) / nr * p.expandParts
}

// divide cuts the multiplication of a super-block into tasks: Direct's into
// about 64 columns each, for A is read from L3 and the weights from memory;
// Winograd's into points. Both into rows at last.
func (p *plan) divide(o *Op) {
	g, mr, nr, workers := o.geo, o.k.gemm.MR(), o.k.gemm.NR(), o.pool.Workers()
	for _, s := range p.supers {
		p.superRows = max(p.superRows, s.m1-s.m0)
	}
	p.subRows = p.superRows
	if g.Groups == 1 && o.tile() == 0 {
		panels := (g.O + nr - 1) / nr
		want := (panels*nr + chunkColumns - 1) / chunkColumns
		per := (panels + want - 1) / max(1, want)
		p.nb, p.chunks = per*nr, (panels+per-1)/per
	}
	tasks := p.chunks
	if o.tile() > 0 {
		tasks = p.points
	}
	for tasks*((p.superRows+p.subRows-1)/p.subRows) < 4*workers && p.subRows > 2*mr {
		p.subRows = (p.subRows/2 + mr - 1) / mr * mr
	}
	if !p.inPlace {
		p.workspace = p.points * (p.superRows*p.lda + planeGap)
	}
	if o.tile() > 0 {
		p.productAt = p.workspace
		p.workspace += p.points * (p.superRows*g.O + planeGap)
	}
}

// planeGap separates Winograd's planes, so that the same tile of all of them
// does not fall into one set of the caches.
const planeGap = 16

// cut makes the pieces. Without a prologue they are even cuts of the grid;
// with one, whole rows or parts of one, so that the band of input that a piece
// normalises has little that it does not use.
func (p *plan) cut(o *Op) {
	grid := p.rows * p.cols
	for n := range o.geo.N {
		switch {
		case !o.spec.Norm || o.pointwise():
			for a := 0; a < grid; a += p.fillRows {
				p.pieces = append(p.pieces, piece{n, a, min(a+p.fillRows, grid)})
			}
		case p.cols <= p.fillRows:
			step := p.fillRows / p.cols * p.cols
			for a := 0; a < grid; a += step {
				p.pieces = append(p.pieces, piece{n, a, min(a+step, grid)})
			}
		default:
			parts := (p.cols + p.fillRows - 1) / p.fillRows
			for r := range p.rows {
				for i := range parts {
					p.pieces = append(p.pieces, piece{n, r*p.cols + i*p.cols/parts, r*p.cols + (i+1)*p.cols/parts})
				}
			}
		}
	}
}

// group makes the super-blocks.
func (p *plan) group(total, perRow int) {
	limit := max(superBytes/perRow, 64)
	if p.inPlace {
		limit = total
	}
	limit = (total + (total+limit-1)/limit - 1) / ((total + limit - 1) / limit) // even ones
	var s super
	for i, q := range p.pieces {
		if n := q.b - q.a; s.m1-s.m0+n > limit && s.p1 > s.p0 {
			p.supers = append(p.supers, s)
			s = super{p0: i, p1: i, m0: s.m1, m1: s.m1}
		}
		s.p1, s.m1 = i+1, s.m1+q.b-q.a
	}
	p.supers = append(p.supers, s)
}

// layout places a worker's scratch.
func (p *plan) layout(o *Op) {
	at := (o.k.gemm.WorkLen() + 15) / 16 * 16
	take := func(n int) (pos int) {
		pos = at
		at += (n + 15) / 16 * 16
		return pos
	}
	if o.spec.Norm && !o.pointwise() {
		largest := 0
		for _, q := range p.pieces {
			b := p.box(o, q)
			largest = max(largest, (b.h1-b.h0)*(b.w1-b.w0)*o.geo.C)
		}
		p.bandAt = take(largest)
	}
	if m := o.tile(); m > 0 {
		p.patchAt = take((m + 2) * (m + 2) * max(o.geo.C, 2*o.geo.O))
		if o.spec.Storage != gemm.F32 {
			p.wideAt = take(9 * expandLen)
		}
		if !p.split {
			p.productAt = take(p.points * (p.fillRows*o.geo.O + planeGap))
		}
	}
	if !p.split && !p.inPlace {
		p.blockAt = take(p.points * (p.fillRows*p.lda + planeGap))
	}
	p.scratch = at
}

// fills returns the filling tasks of a super-block.
func (p *plan) fills(i int) int {
	if p.inPlace {
		return 0
	}
	return p.supers[i].p1 - p.supers[i].p0
}

// multiplies returns the multiplication tasks of a super-block of Direct.
func (p *plan) multiplies(i int) int { return p.chunks * p.subs(i) }

// subs returns how many row ranges super-block i is multiplied in.
func (p *plan) subs(i int) int {
	return (p.supers[i].m1 - p.supers[i].m0 + p.subRows - 1) / p.subRows
}

// stores returns the tasks that turn Winograd's products of a super-block into
// outputs.
func (p *plan) stores(i int) int {
	if p.points == 1 {
		return 0
	}
	return (p.supers[i].m1 - p.supers[i].m0 + p.fillRows - 1) / p.fillRows
}

// box is the part of a picture that a piece reads.
type box struct{ h0, h1, w0, w1 int }

func (p *plan) box(o *Op, q piece) box {
	g := o.geo
	r0, r1 := q.a/p.cols, (q.b-1)/p.cols
	c0, c1 := 0, p.cols-1
	if r0 == r1 {
		c0, c1 = q.a%p.cols, (q.b-1)%p.cols
	}
	clip := func(v, n int) int { return max(0, min(v, n)) }
	return box{
		clip(r0*p.stepH-g.PadT, g.H), clip(r1*p.stepH-g.PadT+p.extentH, g.H),
		clip(c0*p.stepW-g.PadL, g.W), clip(c1*p.stepW-g.PadL+p.extentW, g.W)}
}
