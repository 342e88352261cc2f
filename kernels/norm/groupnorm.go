package norm

import (
	"math"

	"syntic/kernels/elem"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// GroupNorm normalises the channels of NHWC pictures in groups. For each
// picture n and channel c the result is a(x*scale[n,c] + shift[n,c]); Stats
// returns only these two, for a convolution that applies them while it packs.
//
// Each chunk of pixels gives its own mean and squared deviations from it, in
// two passes while it is in the cache, so that a large mean costs them no
// digits; the chunks are joined in float64 in their order. Applying them as
// one product and sum rounds at the size of mean/deviation, as torch does.
//
// Source: Wu and He, arXiv 1803.08494.
type GroupNorm struct {
	k             *Kernel
	n, hw, c      int
	groups        int
	eps           float32
	act           ref.Act
	chunk, chunks int // pixels in a chunk, chunks in a picture

	moments      []moment  // [N,chunks,G]
	scale, shift []float32 // [N,C]

	dst, x  []float32
	pool    *par.Pool
	sumTile func(worker, tile int)
	apply   *elem.Split
}

// moment is a set's mean and its sum of squared deviations.
type moment struct{ mean, sq float64 }

// NewGroupNorm plans GroupNorm with an activation after it (ref.None: none).
//
// Shapes: x [N,HW,C]. Panics: when groups doesn't divide c.
func (k *Kernel) NewGroupNorm(p *par.Pool, n, hw, c, groups int, eps float32, act ref.Act) *GroupNorm {
	if n < 0 || hw <= 0 || c <= 0 {
		fail("%d pictures of %d pixels with %d channels", n, hw, c)
	}
	if groups <= 0 || c%groups != 0 {
		fail("%d channels in %d groups", c, groups)
	}
	g := &GroupNorm{k: k, n: n, hw: hw, c: c, groups: groups, eps: eps, act: act}
	g.chunk = min(hw, max(1, pixelChunk/c))
	g.chunks = (hw + g.chunk - 1) / g.chunk
	g.moments = make([]moment, n*g.chunks*groups)
	g.scale, g.shift = par.Aligned(n*c), par.Aligned(n*c)
	p.Reserve(3 * c)
	g.sumTile = func(worker, i int) { g.sumChunk(p.Scratch(worker)[:3*c], i) }
	g.pool = p
	g.apply = elem.NewSplit(p, n*g.chunks, 1, func(i, _ int) { g.applyChunk(i) })
	return g
}

// pixelChunk is how many elements one chunk of pixels has: 128 KB stays in L2
// for the second pass and makes the work on channels small beside it.
const pixelChunk = 32768

// Run sets dst = act(GroupNorm(x)).
//
// Shapes: dst and x [N,HW,C], w and b [C]. Aliasing: dst may be x. Allocs:
// none. Concurrency: one Run or Stats at a time.
func (g *GroupNorm) Run(dst, x, w, b []float32) {
	if len(dst) != len(x) {
		fail("length %d, want %d", len(dst), len(x))
	}
	g.Stats(g.scale, g.shift, x, w, b)
	g.dst, g.x = dst, x
	g.apply.Run()
	g.dst, g.x = nil, nil
}

// Stats sets scale and shift so that x*scale + shift is the normalised x.
//
// Shapes: scale and shift [N,C], x [N,HW,C], w and b [C]. Allocs: none.
func (g *GroupNorm) Stats(scale, shift, x, w, b []float32) {
	nc := g.n * g.c
	if len(x) != nc*g.hw {
		fail("length %d, want %d", len(x), nc*g.hw)
	}
	if len(scale) != nc || len(shift) != nc {
		fail("%d scales and %d shifts, want %d", len(scale), len(shift), nc)
	}
	if len(w) != g.c || len(b) != g.c {
		fail("weights of %d and %d for %d channels", len(w), len(b), g.c)
	}
	per := g.c / g.groups
	g.x = x
	g.pool.Run(g.n*g.chunks, g.sumTile)
	g.x = nil
	for n := range g.n {
		for gr := range g.groups {
			m := g.group(n, gr)
			r := 1 / math.Sqrt(m.sq/float64(g.hw*per)+float64(g.eps))
			for c := gr * per; c < (gr+1)*per; c++ {
				s := r * float64(w[c])
				scale[n*g.c+c] = float32(s)
				shift[n*g.c+c] = float32(float64(b[c]) - float64(m.mean*s))
			}
		}
	}
}

// group joins the chunks of one group.
// Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
// for computing sample variances", 1979.
func (g *GroupNorm) group(n, gr int) moment {
	var all moment
	count := 0
	for i := range g.chunks {
		m := g.moments[(n*g.chunks+i)*g.groups+gr]
		size := min(g.chunk, g.hw-i*g.chunk)
		d, share := m.mean-all.mean, float64(size)/float64(count+size)
		all.mean += float64(d * share)
		all.sq += m.sq + float64(d*d*share)*float64(count*(g.c/g.groups))
		count += size
	}
	return all
}

func (g *GroupNorm) sumChunk(scratch []float32, i int) {
	_, at := g.pixels(i)
	x, per := g.x[at[0]:at[1]], g.c/g.groups
	count := float64(len(x) / g.groups)
	sum, sq, pivot := scratch[:g.c], scratch[g.c:2*g.c], scratch[2*g.c:]
	out := g.moments[i*g.groups : (i+1)*g.groups]
	g.k.columnSums(sum, x)
	for j := range out {
		mean := float32(total(sum[j*per:(j+1)*per]) / count)
		for c := j * per; c < (j+1)*per; c++ {
			pivot[c] = mean
		}
	}
	g.k.columnDeviations(sum, sq, x, pivot)
	for j := range out {
		d := total(sum[j*per:(j+1)*per]) / count // what rounding the mean lost
		out[j] = moment{
			mean: float64(pivot[j*per]) + d,
			sq:   max(total(sq[j*per:(j+1)*per])-float64(d*d*count), 0),
		}
	}
}

func total(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s
}

func (g *GroupNorm) applyChunk(i int) {
	n, x := g.pixels(i)
	at := n * g.c
	g.k.elem.ScaleAdd(g.dst[x[0]:x[1]], g.x[x[0]:x[1]], g.scale[at:at+g.c], g.shift[at:at+g.c], g.act)
}

// pixels returns the picture of chunk i and the chunk's range in x.
func (g *GroupNorm) pixels(i int) (n int, x [2]int) {
	n = i / g.chunks
	lo := i % g.chunks * g.chunk
	hi := min(lo+g.chunk, g.hw)
	return n, [2]int{(n*g.hw + lo) * g.c, (n*g.hw + hi) * g.c}
}
