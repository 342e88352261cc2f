package ref

import "math"

// RoundInt8 writes a row of x to dst, rounded to bytes in groups of size values
// each, of which the last may be shorter; dst may be x.
//
// The bytes of a group span its values and 0 evenly: scale is that span over 255, z
// the byte of 0, and a value becomes scale·(q-z), q being the nearest byte, ties
// to even. If symmetric, the span is that from minus the largest magnitude to it,
// and z is 128. A group that holds a NaN or an infinity becomes NaN, one whose
// scale is below 1e-36 zero.
//
// A product or convolution in int8 is the float32 one of operands rounded so: of
// activations in groups along the channels of a row or pixel, of weights, rounded
// symmetrically, in groups along the channels of a tap of a column.
func RoundInt8(dst, x []float32, size int, symmetric bool) {
	for i := 0; i < len(x); i += size {
		group := x[i:min(i+size, len(x))]
		low, high, bad := float32(0), float32(0), float32(0) // low is negated
		for _, v := range group {
			low, high, bad = max(low, -v), max(high, v), bad+v*0
		}
		if symmetric {
			low, high = max(low, high), max(low, high)
		}
		scale := float32(low*(1.0/255)) + float32(high*(1.0/255))
		inverse := 1 / scale
		if scale < 1e-36 {
			scale, inverse = 0, 0
		}
		z := round(low * inverse)
		if symmetric {
			z = 128
		}
		for j, v := range group {
			dst[i+j] = scale*(min(round(v*inverse)+z, 255)-z) + bad
		}
	}
}

func round(x float32) float32 { return float32(math.RoundToEven(float64(x))) }
