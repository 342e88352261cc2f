package weights

import (
	"encoding/binary"
	"math"
)

// le is the byte order of every format here.
var le = binary.LittleEndian

// Convert returns t in another floating-point dtype, rounded to nearest even;
// t itself where the dtype is the same already. F64 values go through float32.
//
// Errors: either dtype is not F16, BF16, F32 or F64.
func Convert(t Info, to DType) (Info, error) {
	if t.DType == to {
		return t, nil
	}
	if !t.DType.Float() || !to.Float() {
		return Info{}, badTensor("convert", t.Name, "cannot convert %v to %v", t.DType, to)
	}
	dst := make([]byte, len(t.Data)/t.DType.Size()*to.Size())
	if err := Guard(func() error { convert(dst, to, t.Data, t.DType); return nil }); err != nil {
		return Info{}, err
	}
	t.DType, t.Data, t.m = to, dst, nil
	return t, nil
}

func convert(dst []byte, to DType, src []byte, from DType) {
	for i := range len(src) / from.Size() {
		var x float32
		switch from {
		case F32:
			x = math.Float32frombits(le.Uint32(src[4*i:]))
		case F16:
			x = f16ToF32(le.Uint16(src[2*i:]))
		case BF16:
			x = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
		case F64:
			x = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
		switch to {
		case F32:
			le.PutUint32(dst[4*i:], math.Float32bits(x))
		case F16:
			le.PutUint16(dst[2*i:], f32ToF16(x))
		case BF16:
			le.PutUint16(dst[2*i:], f32ToBF16(x))
		case F64:
			le.PutUint64(dst[8*i:], math.Float64bits(float64(x)))
		}
	}
}

func f16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, frac := uint32(h>>10&31), uint32(h&0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

func f32ToF16(x float32) uint16 {
	b := math.Float32bits(x)
	sign, abs := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN: keep it quiet
		return sign | 0x7e00 | uint16(abs>>13&0x3ff)
	case abs >= 0x477ff000: // 65520 and up round to infinity
		return sign | 0x7c00
	case abs < 0x38800000: // below 2^-14: adding 0.5 leaves frac*2^24, rounded, in the low bits
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-math.Float32bits(0.5))
	}
	return sign | uint16((abs-112<<23+0xfff+abs>>13&1)>>13)
}

func f32ToBF16(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
