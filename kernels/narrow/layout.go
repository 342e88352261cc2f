package narrow

import "syntic/kernels/isa"

// layout says how a picture lies in the workspace, packed, and how the work is cut. Its
// numbers affect speed alone. Sizes are in words of 4 bytes.
//
// A region holds some output rows' part of one picture, padded. With stride 1 it
// is one plane of rows of pixels: outputs that follow one another, from row to
// row too, read pixels that follow one another, whatever the tap. So the region's
// pixels are the rows of A, one constant step apart, and a tap is an offset; the
// pixels at the end of a row, as many as the kernel is wider than one, give rows
// that are no result. With stride s the pixels are sorted into planes by their
// position modulo s, and the same holds in each plane.
//
// A super-block is as many regions as are filled before they are multiplied. Its
// rows are cut into segments, evenly apart each, and groups of segments; a task
// multiplies a group's rows by some panels.
type layout struct {
	format
	cp        int   // of a pixel, whole steps of k
	rp        int   // from pixel to pixel
	steps     int   // of k, of one product
	wp        int   // pixels of a row of a plane
	planeRows int   // of a region's plane
	slot      []int // the plane of each position modulo the strides, -1 where no tap reads it
	slots     int
	dense     bool    // pixels of A are pixels of x
	off       []int   // for each step of k, bytes from a pixel's start
	pixel     []int32 // for each pixel of a region, the result's, negative for none

	regions []region
	size    int // of a region
	supers  []super
	segs    []segment
	groups  []group
	chunk   int // steps of k of one pass over a group's rows
	most    int // rows of a group
	sums    int // floats of a group's sums for one panel
	fill    int // planes' rows of a filling task
	fills   int // filling tasks of a region

	workspace int
}

// region is the output rows [r0,r1) of picture n.
type region struct{ n, r0, r1 int }

// super is a range of regions, of groups, and the ranges of panels of its tasks.
type super struct{ r0, r1, g0, g1, parts int }

// segment is rows of A from a word of the workspace on; pixel is the index of the
// first in the table, out the result's pixel that the table counts from.
type segment struct{ at, rows, pixel, out int }

// group is a range of segments, and how many of the kernels' groups of rows they are.
type group struct{ s0, s1, rows int }

// A group's rows and a panel are to stay in L2 while all panels pass. Where few
// rows would fit beside a panel, a chunk of k of both goes first through all
// panels, whose sums are kept.
const (
	groupRows  = 2048      // at most
	leastRows  = 192       // of a group beside a whole panel
	smallRows  = 128       // of a group where all weights stay in L2: its results and residuals then do too
	small      = 1 << 20   // bytes of such weights
	chunkBytes = 192 << 10 // of a panel's chunk
	superLeast = 1 << 20   // bytes of A in the workspace, a worker
	superMost  = 16 << 20  // in all
	heavy      = 2 << 20   // bytes of weights from which on they are read once rather than A
	fillFloats = 1 << 15   // of a filling task
)

func newLayout(o *Op) layout {
	g, workers := o.geo, o.pool.Workers()
	l := layout{format: o.k.format(g.C), dense: o.pointwise()}
	l.cp = l.each * l.a
	l.rp = l.cp
	if l.cp%128 == 0 { // pixels that share few sets of the caches
		l.rp += 16
	}
	l.steps = g.KH * g.KW * l.each
	l.wp = (g.W + g.PadL + g.PadR + g.StrideW - 1) / g.StrideW
	l.planes(o)
	weights := 4 * l.steps * l.b * up(g.O, cols) / cols
	limit := min(max(weights, superLeast*workers), superMost)
	outH := g.OutH()
	// The last row's pixels and the kernels' whole groups read beyond the planes.
	over := (g.KH - 1) * g.DilH / g.StrideH
	slack := l.wp + o.k.rows
	rows := (limit/(4*l.rp)-slack)/(l.slots*l.wp) - over
	rows = min(max(rows, 1), outH)
	rows = (outH + (outH+rows-1)/rows - 1) / ((outH + rows - 1) / rows) // even ones
	l.planeRows = rows + over
	l.size = (l.slots*l.planeRows*l.wp + slack) * l.rp
	l.tables(o, rows)
	for n := range g.N {
		for r := 0; r < outH; r += rows {
			l.regions = append(l.regions, region{n, r, min(r+rows, outH)})
		}
	}
	per := max(1, min(limit/(4*l.size), len(l.regions)))
	l.block(o, weights)
	for at := 0; at < len(l.regions); at += per {
		l.group(o, at, min(at+per, len(l.regions)), weights)
	}
	l.fill = max(1, min(fillFloats/(l.wp*g.StrideW*g.C), l.planeRows*g.StrideH/(2*workers)))
	l.fills = (l.planeRows*g.StrideH + l.fill - 1) / l.fill
	l.workspace = per * l.size
	return l
}

// planes numbers the planes that taps read.
func (l *layout) planes(o *Op) {
	g := o.geo
	l.slot = make([]int, g.StrideH*g.StrideW)
	for i := range l.slot {
		l.slot[i] = -1
	}
	for kh := range g.KH {
		for kw := range g.KW {
			if p := &l.slot[kh*g.DilH%g.StrideH*g.StrideW+kw*g.DilW%g.StrideW]; *p < 0 {
				*p = l.slots
				l.slots++
			}
		}
	}
}

// tables writes where the steps of k lie and where the rows go.
func (l *layout) tables(o *Op, rows int) {
	g := o.geo
	for kh := range g.KH {
		for i := range l.each {
			for kw := range g.KW {
				h, w := kh*g.DilH, kw*g.DilW
				plane := l.slot[h%g.StrideH*g.StrideW+w%g.StrideW]
				at := (plane*l.planeRows+h/g.StrideH)*l.wp + w/g.StrideW
				l.off = append(l.off, 4*(at*l.rp+i*l.a))
			}
		}
	}
	outW := g.OutW()
	l.pixel = make([]int32, rows*l.wp)
	for i := range l.pixel {
		if l.pixel[i] = -1; i%l.wp < outW {
			l.pixel[i] = int32(i/l.wp*outW + i%l.wp)
		}
	}
}

// block chooses the chunk of k and the most rows of a group.
func (l *layout) block(o *Op, weights int) {
	cache := isa.Caches().L2 / 8 * 5
	if cache == 0 {
		cache = 1 << 19
	}
	panel, row := 4*l.b*l.steps, 4*l.rp
	l.chunk = l.steps
	if row*leastRows+2*panel > cache {
		most := chunkBytes / (4 * l.b)
		if o.geo.KW == 1 { // whose taps don't share pixels
			most /= 2
		}
		l.chunk = min(l.steps, most)
		panel, row = 4*l.b*l.chunk, 4*l.a*((l.chunk+o.geo.KW-1)/o.geo.KW)
	}
	l.most = min(groupRows, max((cache-2*panel)/row, o.k.rows))
	if weights <= small {
		l.most = min(l.most, smallRows)
	}
}

// group cuts the regions [r0,r1) into groups and adds them as a super-block.
func (l *layout) group(o *Op, r0, r1, weights int) {
	g, workers := o.geo, o.pool.Workers()
	rows := func(q region) int { return (q.r1-q.r0-1)*l.wp + g.OutW() }
	total := 0
	for _, q := range l.regions[r0:r1] {
		total += rows(q)
	}
	panels := up(g.O, cols) / cols
	s := super{r0: r0, r1: r1, g0: len(l.groups), parts: 1}
	most := l.most
	if workers > 1 && weights <= heavy {
		most = min(most, max(2*o.k.rows, total/(4*workers)))
	}
	most = up(most, o.k.rows)
	held := 0 // rows of the open group
	for i, q := range l.regions[r0:r1] {
		n := rows(q)
		parts := (n + most - 1) / most
		step := up((n+parts-1)/parts, o.k.rows)
		for v := 0; v < n; v += step {
			m := min(step, n-v)
			if held == 0 || held+up(m, o.k.rows) > most {
				l.groups = append(l.groups, group{s0: len(l.segs), s1: len(l.segs)})
				held = 0
			}
			l.segs = append(l.segs, segment{at: i*l.size + v*l.rp, rows: m, pixel: v, out: (q.n*g.OutH() + q.r0) * g.OutW()})
			last := &l.groups[len(l.groups)-1]
			last.s1++
			last.rows += up(m, o.k.rows) / o.k.rows
			held += up(m, o.k.rows)
			l.sums = max(l.sums, held*cols)
		}
	}
	s.g1 = len(l.groups)
	if workers > 1 {
		s.parts = min(panels, (4*workers+s.g1-s.g0-1)/(s.g1-s.g0))
	}
	l.supers = append(l.supers, s)
}
