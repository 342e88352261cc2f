package conv

import (
	"syntic/kernels/isa"
)

// plan cuts a convolution into tasks. Its numbers affect speed alone: gemm's
// bits depend on neither the rows nor the columns that are computed together.
//
// The positions of a picture's grid are output pixels (Direct) or tiles of
// 2x2 or 4x4 of them (Winograd). Filling writes one row of A per position;
// multiplying turns rows of A into outputs.
//
// Where the packed weights are small, a task fills a few rows that stay in its
// core's L2 and multiplies them at once. Where they are large, a fused task
// would stream all of them through the cache for those few rows; then the rows
// of many positions are filled into the workspace first and tasks multiply
// them by a few columns each, so that weights are read once per super-block.
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
	subRows  int // most rows of a multiplication

	pieces     []piece
	split      bool
	supers     []super
	fusedTasks int

	workspace int
	scratch   int // per worker: gemm, band, patches, then A or products
	bandAt    int
	patchAt   int
	blockAt   int // A of a fused task
	productAt int
}

// piece is the positions [a,b) of picture n.
type piece struct{ n, a, b int }

// super is a range of pieces and of positions counted over all pictures.
type super struct{ p0, p1, m0, m1 int }

const (
	fusedWeights = 3 << 20 // bytes of packed weights up to which tasks are fused
	superBytes   = 8 << 20 // bytes of A in the workspace
	chunkColumns = 64      // output channels of a multiplication, about
)

func newPlan(o *Op) plan {
	g, k := o.geo, o.k.gemm
	p := plan{rows: g.OutH(), cols: g.OutW(), stepH: g.StrideH, stepW: g.StrideW,
		extentH: (g.KH-1)*g.DilH + 1, extentW: (g.KW-1)*g.DilW + 1, points: 1}
	if o.algo == Depthwise {
		p.fusedTasks = g.N * p.rows
		p.blockAt = 0
		p.bandAt = g.O
		if o.spec.Norm {
			p.scratch = p.bandAt + p.extentH*g.W*g.C
		} else {
			p.scratch = p.bandAt
		}
		return p
	}
	p.depth = g.C / g.Groups * g.KH * g.KW
	if m := o.tile(); m > 0 {
		p.rows, p.cols = (p.rows+m-1)/m, (p.cols+m-1)/m
		p.stepH, p.stepW, p.extentH, p.extentW = m, m, m+2, m+2
		p.points = (m + 2) * (m + 2)
		p.depth = g.C
	}
	p.nb, p.chunks = chunking(g.O, k.NR())
	if g.Groups > 1 {
		p.nb, p.chunks = g.O/g.Groups, g.Groups
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

// chunking cuts n columns into about equal chunks of whole panels.
func chunking(n, nr int) (columns, chunks int) {
	panels := (n + nr - 1) / nr
	per := max(1, min(panels, (chunkColumns+nr/2)/nr))
	chunks = (panels + per - 1) / per
	per = (panels + chunks - 1) / chunks
	return per * nr, (panels + per - 1) / per
}

func (p *plan) size(o *Op) {
	g, k, workers := o.geo, o.k.gemm, o.pool.Workers()
	l2 := isa.Caches().L2
	if l2 == 0 {
		l2 = 1 << 20
	}
	grid := p.rows * p.cols
	total := g.N * grid
	weights := 4 * p.points * p.depth * g.O
	perRow := 4 * p.points * p.lda
	if o.tile() > 0 {
		perRow += 4 * p.points * p.nb
	}
	mr := k.MR()
	fit := max(1, l2/2/perRow/mr) * mr // positions whose rows fill half of L2
	p.fillRows = min(fit, 8*mr)
	p.split = weights > fusedWeights || total < 2*workers*min(p.fillRows, 2*mr)
	if !p.split && o.algo == Direct && g.Groups == 1 {
		p.nb, p.chunks = g.O, 1
	}
	if p.split {
		p.fillRows = max(1, min(16, (total+4*workers-1)/(4*workers)))
	}
	p.cut(o)
	p.fusedTasks = len(p.pieces)
	p.subRows = p.fillRows
	if p.split {
		p.group(g.N*grid, perRow)
		widest := 0
		for _, s := range p.supers {
			widest = max(widest, s.m1-s.m0)
		}
		// A product of the rows and one chunk stays in half of L2; enough
		// tasks for the workers to share evenly.
		p.subRows = widest
		if o.tile() > 0 {
			p.subRows = max(mr, l2*3/4/(4*p.points*p.nb)/mr*mr)
		}
		for p.chunks*((widest+p.subRows-1)/p.subRows) < 4*workers && p.subRows > 2*mr {
			p.subRows = (p.subRows/2 + mr - 1) / mr * mr
		}
		p.subRows = min(p.subRows, widest)
		if !p.inPlace {
			p.workspace = p.points*(widest*p.lda+planeGap) + planeGap
		}
	}
	p.layout(o)
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
		p.patchAt = take((m + 2) * (m + 2) * max(o.geo.C, 2*p.nb))
		p.productAt = take(p.points * (p.subRows*p.nb + planeGap))
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

// multiplies returns the multiplication tasks of a super-block.
func (p *plan) multiplies(i int) int {
	s := p.supers[i]
	return p.chunks * ((s.m1 - s.m0 + p.subRows - 1) / p.subRows)
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
