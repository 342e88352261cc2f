package ref

import "math"

// RoundInt8 writes a row of x to dst, each value rounded to a multiple of its
// group's scale: the largest magnitude of the group over 127. Rounding is to the
// nearest multiple, ties to even. Groups are size values each, the last may be
// shorter; dst may be x. A group that holds a NaN or an infinity becomes NaN, one
// whose largest magnitude is below 1e-36 zero.
//
// A product or convolution in int8 is the float32 one of operands rounded so, the
// activations' groups along the channels of a row or pixel, the weights' along the
// channels of a tap of a column.
func RoundInt8(dst, x []float32, size int) {
	for i := 0; i < len(x); i += size {
		end := min(i+size, len(x))
		most, scale := float32(0), float32(0)
		for _, v := range x[i:end] {
			if v-v != 0 { // NaN or infinite
				scale = float32(math.NaN())
			}
			most = max(most, v, -v)
		}
		if most >= 1e-36 && scale == 0 {
			scale = most / 127
		}
		for j, v := range x[i:end] {
			if dst[i+j] = scale; scale > 0 {
				dst[i+j] *= float32(math.RoundToEven(float64(v * (127 / most))))
			}
		}
	}
}
