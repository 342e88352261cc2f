package elem

import (
	"encoding/binary"
	"math"

	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

var (
	negInf  = float32(math.Inf(-1))
	negZero = float32(math.Copysign(0, -1))
)

func portable() *Kernel {
	k := &Kernel{
		level: isa.Portable,
		exp:   mapGo(math.Exp), log: mapGo(math.Log),
		add: addGo, sub: subGo, mul: mulGo,
		affine: affineGo, affineRows: affineRowsGo, axpy: axpyGo, geluMul: geluMulGo,
		max: maxGo, findGreater: findGreaterGo, sum: sumGo, dot: dotGo,
		fromF16: fromF16Go, toF16: toF16Go, fromBF16: fromBF16Go, toBF16: toBF16Go,
		transpose: transposeGo, transposeBlock: 4,
	}
	for a := ref.ReLU; a <= ref.Tanh; a++ {
		k.act[a] = mapGo(a.Apply)
	}
	k.act[ref.ReLU] = reluGo
	k.act[ref.GELUTanh] = mapGo(geluTanh)
	return k
}

// mapGo computes in float64 and rounds once: about 10 ns an element, which
// the portable matrix products beside it dwarf.
func mapGo(f func(float64) float64) func(dst, x []float32) {
	return func(dst, x []float32) {
		for i, v := range x {
			dst[i] = float32(f(float64(v)))
		}
	}
}

// geluTanh is ref.GELUTanh as x·σ(2u), which keeps its digits where x is
// negative: 1 + tanh(u) cancels.
func geluTanh(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	u := math.Sqrt(2/math.Pi) * x * (1 + 0.044715*x*x)
	return x / (1 + math.Exp(-2*u))
}

func reluGo(dst, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func addGo(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

func subGo(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v - y[i]
	}
}

func mulGo(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v * y[i]
	}
}

func affineGo(dst, x []float32, s, t float32) {
	for i, v := range x {
		dst[i] = float32(v*s) + t
	}
}

func affineRowsGo(dst, x, s, t []float32) {
	for i := 0; i < len(x); i += len(s) {
		for c, f := range s {
			dst[i+c] = float32(x[i+c]*f) + t[c]
		}
	}
}

func axpyGo(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] += float32(v * s)
	}
}

func geluMulGo(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = float32(ref.GELU.Apply(float64(v))) * y[i]
	}
}

func maxGo(x []float32) float32 {
	m := negInf
	for _, v := range x {
		if v > m {
			m = v
		}
		if v != v {
			return v
		}
	}
	return m
}

// findGreaterGo returns the index of the first element that is larger than
// than or NaN, and len(x) if there is none.
func findGreaterGo(x []float32, than float32) int {
	for i, v := range x {
		if !(v <= than) {
			return i
		}
	}
	return len(x)
}

func sumGo(x []float32) float32 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return float32(s)
}

func dotGo(x, y []float32) float32 {
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i]) // the product of two float32 is exact
	}
	return float32(s)
}

func transposeGo(dst, x []float32, ldd, ldx int) {
	for j := range 4 {
		d := dst[j*ldd : j*ldd+4]
		d[0], d[1], d[2], d[3] = x[j], x[ldx+j], x[2*ldx+j], x[3*ldx+j]
	}
}

func fromBF16Go(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func toBF16Go(dst []byte, src []float32) {
	for i, v := range src {
		b := math.Float32bits(v)
		if v != v {
			b |= 1 << 22 // quiet
		} else {
			b += 0x7fff + b>>16&1
		}
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(b>>16))
	}
}

func fromF16Go(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = fromHalf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func toF16Go(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], toHalf(v))
	}
}

func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h)>>15<<31, uint32(h)>>10&31, uint32(h)&0x3ff
	switch exp {
	case 31:
		if frac != 0 {
			frac |= 1 << 9 // quiet, as the hardware does
		}
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case 0:
		v := float32(frac) * (1.0 / (1 << 24)) // subnormal halves are normal floats
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}

func toHalf(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 1<<31 - 1
	switch {
	case b > 0xff<<23: // NaN
		return sign | 0x7e00 | uint16(b>>13&0x1ff)
	case b >= (127+16)<<23: // 65536 and more
		return sign | 0x7c00
	case b < (127-14)<<23: // below the smallest normal half
		// Adding 2^-1 makes the float's unit that of a subnormal half, 2^-24,
		// so that the addition itself rounds to nearest even.
		f := math.Float32frombits(b) + 0.5
		return sign | uint16(math.Float32bits(f)-0x3f000000)
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-(127-15)<<23)>>13)
}
