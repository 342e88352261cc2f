package attn

import (
	"math"
	"unsafe"

	"syntic/kernels/isa"
)

// Kernel holds the inner loops for one instruction set.
type Kernel struct {
	level isa.Level
	lanes int // floats of a vector

	// Row road. dots: s[j] = q·k[j]. softmax: s = softmax(c·s) over whole
	// vectors, with powers of two, all zeros if every score is -Inf.
	// accum: o += Σ s[j]·v[j].
	dots    func(s, q, k *float32, stride, n, d int)
	softmax func(s *float32, vecs int, c float32)
	accum   func(o, s, v *float32, stride, n, d int)

	// Tile road, nil in the portable kernel; [i] is for i vectors of queries.
	// Their contracts are in the generated assembly.
	scores    [maxVecs + 1]func(s, q, k *float32, stride, n, d int)
	online    func(s, m, l, corr *float32, vecs, n int)
	values    [maxVecs + 1]func(o, s, v, corr *float32, stride, n, d int)
	transpose func(dst, src, c *float32, dstRow, srcRow, dstStep, srcStep, cols, out int)
	rows      int // keys that scores takes at once
	rest      int // up to this many queries beyond whole vectors take it too
	few       int // up to this many queries take the row road
}

// lowest is where running maxima start: finite, so that subtracting it from a
// score of -Inf gives -Inf and never NaN.
const lowest = -math.MaxFloat32

var minusInf = float32(math.Inf(-1))

var portable = Kernel{level: isa.Portable, lanes: 1, dots: dotsGo, softmax: softmaxGo, accum: accumGo}

// Level returns the instruction set the kernel is written for.
func (k *Kernel) Level() isa.Level { return k.level }

func dotsGo(s, q, k *float32, stride, n, d int) {
	ss, qs := unsafe.Slice(s, n), unsafe.Slice(q, d)
	ks := unsafe.Slice(k, (n-1)*stride+d)
	for j := range ss {
		row := ks[j*stride:][:len(qs)]
		var a0, a1, a2, a3 float32
		i := 0
		for ; i+4 <= len(qs); i += 4 {
			a0 = float32(qs[i]*row[i]) + a0
			a1 = float32(qs[i+1]*row[i+1]) + a1
			a2 = float32(qs[i+2]*row[i+2]) + a2
			a3 = float32(qs[i+3]*row[i+3]) + a3
		}
		for ; i < len(qs); i++ {
			a0 = float32(qs[i]*row[i]) + a0
		}
		ss[j] = (a0 + a2) + (a1 + a3)
	}
}

func softmaxGo(s *float32, n int, c float32) {
	ss := unsafe.Slice(s, n)
	high := float32(lowest)
	for j := range ss {
		ss[j] *= c
		high = max(high, ss[j])
	}
	sum := float32(0)
	for j := range ss {
		ss[j] = exp2(ss[j] - high)
		sum += ss[j]
	}
	if sum == 0 {
		return
	}
	inv := 1 / sum
	for j := range ss {
		ss[j] *= inv
	}
}

func accumGo(o, s, v *float32, stride, n, d int) {
	out, ss := unsafe.Slice(o, d), unsafe.Slice(s, n)
	vs := unsafe.Slice(v, (n-1)*stride+d)
	for j, p := range ss {
		row := vs[j*stride:][:len(out)]
		for i := range out {
			out[i] = float32(p*row[i]) + out[i]
		}
	}
}

// exp2C is the polynomial for 2^r on [-½,½] with the least relative error,
// 9.2e-8, that is exact at 0; fitted by Lawson's reweighted least squares.
var exp2C = [6]float32{1, 0x1.62e42ap-1, 0x1.ebf9bcp-3, 0x1.c6b752p-5, 0x1.3cea88p-7, 0x1.5bba14p-10}

// exp2 returns 2^x for x ≤ 0: the polynomial of the vector kernels.
func exp2(x float32) float32 {
	if !(x >= -150) {
		if x < -150 {
			return 0
		}
		return x // NaN
	}
	n := float32(math.RoundToEven(float64(x)))
	r := x - n
	p := float32(exp2C[5]*r) + exp2C[4]
	for i := 3; i >= 0; i-- {
		p = float32(p*r) + exp2C[i]
	}
	// Two factors, because 2^-150 has no float32.
	h := int32(n) / 2
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(int32(n)-h+127)<<23)
}
