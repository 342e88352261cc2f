package elem

import (
	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

// For returns the functions for a level that this machine supports.
func For(l isa.Level) *Kernel {
	k := portable()
	switch l {
	case isa.AVX2:
		k.level = l
		k.act = [...]func(dst, x []float32){ref.ReLU: reluAVX2, ref.QuickGELU: quickGELUAVX2, ref.GELU: geluAVX2,
			ref.GELUTanh: geluTanhAVX2, ref.SiLU: siluAVX2, ref.Sigmoid: sigmoidAVX2, ref.Tanh: tanhAVX2}
		k.exp, k.log = expAVX2, logAVX2
		k.add, k.sub, k.mul = addAVX2, subAVX2, mulAVX2
		k.affine, k.affineRows, k.axpy, k.geluMul = affineAVX2, affineRowsAVX2, axpyAVX2, geluMulAVX2
		k.max, k.findGreater, k.sum, k.dot = maxAVX2, findGreaterAVX2, sumAVX2, dotAVX2
		k.fromF16, k.toF16 = widened(fromF16AVX2, fromF16Go, 8), narrowed(toF16AVX2, toF16Go, 8)
		k.fromBF16, k.toBF16 = widened(fromBF16AVX2, fromBF16Go, 8), narrowed(toBF16AVX2, toBF16Go, 8)
		k.transpose, k.transposeBlock = transposeAVX2, 8
	case isa.AVX512:
		k.level = l
		k.act = [...]func(dst, x []float32){ref.ReLU: reluAVX512, ref.QuickGELU: quickGELUAVX512, ref.GELU: geluAVX512,
			ref.GELUTanh: geluTanhAVX512, ref.SiLU: siluAVX512, ref.Sigmoid: sigmoidAVX512, ref.Tanh: tanhAVX512}
		k.exp, k.log = expAVX512, logAVX512
		k.add, k.sub, k.mul = addAVX512, subAVX512, mulAVX512
		k.affine, k.affineRows, k.axpy, k.geluMul = affineAVX512, affineRowsAVX512, axpyAVX512, geluMulAVX512
		k.max, k.findGreater, k.sum, k.dot = maxAVX512, findGreaterAVX512, sumAVX512, dotAVX512
		k.fromF16, k.toF16 = widened(fromF16AVX512, fromF16Go, 16), narrowed(toF16AVX512, toF16Go, 16)
		k.fromBF16, k.toBF16 = widened(fromBF16AVX512, fromBF16Go, 16), narrowed(toBF16AVX512, toBF16Go, 16)
		k.transpose, k.transposeBlock = transposeAVX512, 8
	}
	return k
}

// widened runs whole vectors in assembly and the last elements in Go.
func widened(vector, rest func([]float32, []byte), lanes int) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		n := len(dst) / lanes * lanes
		vector(dst[:n], src[:2*n])
		rest(dst[n:], src[2*n:])
	}
}

func narrowed(vector, rest func([]byte, []float32), lanes int) func([]byte, []float32) {
	return func(dst []byte, src []float32) {
		n := len(src) / lanes * lanes
		vector(dst[:2*n], src[:n])
		rest(dst[2*n:], src[n:])
	}
}
