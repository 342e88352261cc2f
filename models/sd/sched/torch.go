package sched

import "math"

// Torch gives what PyTorch's torch.randn gives on the CPU, in float32, for a
// generator of the same seed and calls of the same sizes: a call of 16 values or
// more takes another path than a shorter one, and so do two halves of a call.
//
// The bits are those of PyTorch on a processor with AVX2 or AVX-512; without, its
// own differ from these by up to 2e-6 in calls of 16 or more.
//
// Source: PyTorch 2: c10 and ATen core/MT19937RNGEngine.h,
// core/DistributionsHelper.h, native/cpu/DistributionTemplates.h; Matsumoto and
// Nishimura, "Mersenne Twister".
type Torch struct {
	words [624]uint32
	used  int // words of this state that were given

	held   float64 // the second number of a pair, for the next short call
	isHeld bool
}

// NewTorch returns the generator of torch.Generator().manual_seed(seed), which
// uses the seed's lower 32 bits.
func NewTorch(seed uint64) *Torch {
	g := &Torch{}
	g.words[0] = uint32(seed)
	for i := 1; i < len(g.words); i++ {
		prev := g.words[i-1]
		g.words[i] = 1812433253*(prev^prev>>30) + uint32(i)
	}
	g.used = len(g.words)
	return g
}

// Fill implements Source: dst is one call of torch.randn.
func (g *Torch) Fill(dst []float32) {
	const block = 16
	n := len(dst)
	if n < block {
		for i := range dst {
			dst[i] = float32(g.normal())
		}
		return
	}
	for i := range dst {
		dst[i] = g.uniform()
	}
	for i := 0; i+block <= n; i += block {
		boxMuller((*[block]float32)(dst[i:]))
	}
	if n%block != 0 { // the last block anew, over the end of the one before
		tail := dst[n-block:]
		for i := range tail {
			tail[i] = g.uniform()
		}
		boxMuller((*[block]float32)(tail))
	}
}

// boxMuller turns uniform numbers to normal ones.
func boxMuller(x *[16]float32) {
	for j := range 8 {
		r := float32(math.Sqrt(float64(-2 * log32(1-x[j]))))
		sin, cos := sincos32(2 * math.Pi * x[j+8])
		x[j], x[j+8] = r*cos, r*sin
	}
}

// normal returns one number in float64, two of each pair of draws.
func (g *Torch) normal() float64 {
	if g.isHeld {
		g.isHeld = false
		return g.held
	}
	u, v := g.uniform64(), g.uniform64()
	r := math.Sqrt(-2 * math.Log1p(-v))
	sin, cos := math.Sincos(2 * math.Pi * u)
	g.held, g.isHeld = r*sin, true
	return r * cos
}

// uniform returns 24 bits in [0,1).
func (g *Torch) uniform() float32 { return float32(g.word()&(1<<24-1)) * 0x1p-24 }

// uniform64 returns 53 bits in [0,1).
func (g *Torch) uniform64() float64 {
	hi := uint64(g.word())
	return float64((hi<<32|uint64(g.word()))&(1<<53-1)) * 0x1p-53
}

// word returns the next output of MT19937.
func (g *Torch) word() uint32 {
	if g.used == len(g.words) {
		g.twist()
		g.used = 0
	}
	y := g.words[g.used]
	g.used++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// twist makes the next 624 words.
func (g *Torch) twist() {
	const n, m = 624, 397
	for i := range n {
		y := g.words[i]&0x80000000 | g.words[(i+1)%n]&0x7fffffff
		next := g.words[(i+m)%n] ^ y>>1
		if y&1 != 0 {
			next ^= 0x9908b0df
		}
		g.words[i] = next
	}
}
