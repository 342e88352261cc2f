package tensor

import "math"

// F16ToF32 widens an IEEE 754 binary16 value; exact for every input.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	// Zero and subnormals: frac·2^-24 is exact in float32.
	v := float32(frac) * 0x1p-24
	return math.Float32frombits(sign | math.Float32bits(v))
}

// F32ToF16 rounds to the nearest binary16 value, ties to even; values past the
// largest finite one become infinite.
func F32ToF16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	abs := bits &^ 0x80000000
	switch {
	case abs > 0x7f800000: // NaN: keep it quiet and non-zero
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x477ff000: // 65520 and up round to infinity
		return sign | 0x7c00
	case abs >= 0x38800000: // normal
		return sign | uint16((abs-0x38000000+0xfff+(abs>>13)&1)>>13)
	}
	// Subnormal: the addition rounds the value to a multiple of 2^-24.
	r := math.Float32bits(math.Float32frombits(abs) + 0.5)
	return sign | uint16(r-0x3f000000)
}

// BF16ToF32 widens a bfloat16 value; exact for every input.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16 value, ties to even.
func F32ToBF16(f float32) uint16 {
	bits := math.Float32bits(f)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + (bits>>16)&1) >> 16)
}
