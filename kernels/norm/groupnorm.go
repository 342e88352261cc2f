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
// The statistics are sums over chunks of pixels, of x minus the group's first
// value (a picture with a large mean costs no digits), joined in float64 in
// the order of the chunks.
//
// Source: Wu and He, arXiv 1803.08494.
type GroupNorm struct {
	k             *Kernel
	n, hw, c      int
	groups        int
	eps           float32
	act           ref.Act
	chunk, chunks int // pixels in a chunk, chunks in a picture

	partial      []float32 // [N,chunks,2,C]
	pivot        []float32 // [N,C]
	scale, shift []float32 // [N,C]

	dst, x      []float32
	sums, apply *elem.Split
}

// NewGroupNorm plans GroupNorm with an activation after it (ref.None: none).
//
// Shapes: x [N,HW,C]. Panics: when groups doesn't divide c.
func (k *Kernel) NewGroupNorm(p *par.Pool, n, hw, c, groups int, eps float32, act ref.Act) *GroupNorm {
	check(n >= 0 && hw > 0 && c > 0, "%d pictures of %d pixels with %d channels", n, hw, c)
	check(groups > 0 && c%groups == 0, "%d channels in %d groups", c, groups)
	g := &GroupNorm{k: k, n: n, hw: hw, c: c, groups: groups, eps: eps, act: act}
	g.chunk = min(hw, max(1, pixelChunk/c))
	g.chunks = (hw + g.chunk - 1) / g.chunk
	g.partial = par.Aligned(n * g.chunks * 2 * c)
	g.pivot = par.Aligned(n * c)
	g.scale, g.shift = par.Aligned(n*c), par.Aligned(n*c)
	g.sums = elem.NewSplit(p, n*g.chunks, 1, func(i, _ int) { g.sumChunk(i) })
	g.apply = elem.NewSplit(p, n*g.chunks, 1, func(i, _ int) { g.applyChunk(i) })
	return g
}

// pixelChunk is how many elements one chunk of pixels has.
const pixelChunk = 16384

// Run sets dst = act(GroupNorm(x)).
//
// Shapes: dst and x [N,HW,C], w and b [C]. Aliasing: dst may be x. Allocs:
// none. Concurrency: one Run or Stats at a time.
func (g *GroupNorm) Run(dst, x, w, b []float32) {
	check(len(dst) == len(x), "length %d, want %d", len(dst), len(x))
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
	check(len(x) == nc*g.hw, "length %d, want %d", len(x), nc*g.hw)
	check(len(scale) == nc && len(shift) == nc, "%d scales and %d shifts, want %d", len(scale), len(shift), nc)
	check(len(w) == g.c && len(b) == g.c, "weights of %d and %d for %d channels", len(w), len(b), g.c)
	per := g.c / g.groups
	for i := range g.pivot {
		n, c := i/g.c, i%g.c
		g.pivot[i] = x[n*g.hw*g.c+c-c%per]
	}
	g.x = x
	g.sums.Run()
	g.x = nil
	for n := range g.n {
		for c0 := 0; c0 < g.c; c0 += per {
			mean, r := g.group(n, c0, per)
			for c := c0; c < c0+per; c++ {
				s := r * float64(w[c])
				scale[n*g.c+c] = float32(s)
				shift[n*g.c+c] = float32(float64(b[c]) - mean*s)
			}
		}
	}
}

// group returns the mean of channels [c0,c0+per) of picture n and the inverse
// of their deviation.
func (g *GroupNorm) group(n, c0, per int) (mean, r float64) {
	var sum, sq float64
	for i := range g.chunks {
		part := g.partial[(n*g.chunks+i)*2*g.c:][:2*g.c]
		for c := c0; c < c0+per; c++ {
			sum += float64(part[c])
			sq += float64(part[g.c+c])
		}
	}
	count := float64(g.hw * per)
	d := sum / count
	v := max(sq/count-float64(d*d), 0)
	return float64(g.pivot[n*g.c+c0]) + d, 1 / math.Sqrt(v+float64(g.eps))
}

func (g *GroupNorm) sumChunk(i int) {
	n, x := g.pixels(i)
	part := g.partial[i*2*g.c:][:2*g.c]
	clear(part)
	g.k.pixelSums(part[:g.c], part[g.c:], g.x[x[0]:x[1]], g.pivot[n*g.c:][:g.c])
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
