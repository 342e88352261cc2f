package ref

import "math"

// RoundBF16 writes x to dst rounded to bfloat16: to the nearest, ties to even;
// a NaN stays one. dst may be x.
//
// A product, convolution or attention in bfloat16 is the float32 one of rounded
// operands: their products are exact in float32, sums are float32 in the order
// of the kernel. Within an attention the weights exp(s-max) are rounded too.
func RoundBF16(dst, x []float32) {
	for i, v := range x {
		if v != v {
			dst[i] = v
			continue
		}
		b := math.Float32bits(v)
		dst[i] = math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
	}
}
