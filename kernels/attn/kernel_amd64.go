package attn

import "syntic/kernels/isa"

//go:generate go run ../_gen/attn .

// For returns the kernel of this instruction set; the portable one where there
// is no faster.
func For(l isa.Level) *Kernel {
	switch l {
	case isa.AVX512:
		return &avx512
	case isa.AVX2:
		return &avx2
	}
	return &portable
}

var avx2 = Kernel{
	level: isa.AVX2, lanes: 8, rows: 4, few: 6, rest: 3,
	dots: dotsAVX2, softmax: softmaxRowAVX2, accum: accumAVX2,
	scores:    [...]func(s, q, k *float32, stride, n, d int){nil, scores1AVX2, scores2AVX2, scores3AVX2},
	online:    softmaxAVX2,
	values:    [...]func(o, s, v, corr *float32, stride, n, d int){nil, values1AVX2, values2AVX2, values3AVX2},
	transpose: transposeAVX2,
}

var avx512 = Kernel{
	level: isa.AVX512, lanes: 16, rows: 8, few: 6, rest: 4,
	dots: dotsAVX512, softmax: softmaxRowAVX512, accum: accumAVX512,
	scores:    [...]func(s, q, k *float32, stride, n, d int){nil, scores1AVX512, scores2AVX512, scores3AVX512},
	online:    softmaxAVX512,
	values:    [...]func(o, s, v, corr *float32, stride, n, d int){nil, values1AVX512, values2AVX512, values3AVX512},
	transpose: transposeAVX512,
}

//go:noescape
func scores1AVX2(s, q, k *float32, stride, n, d int)

//go:noescape
func scores2AVX2(s, q, k *float32, stride, n, d int)

//go:noescape
func scores3AVX2(s, q, k *float32, stride, n, d int)

//go:noescape
func values1AVX2(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func values2AVX2(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func values3AVX2(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func softmaxAVX2(s, m, l, corr *float32, vecs, n int)

//go:noescape
func transposeAVX2(dst, src, c *float32, dstRow, srcRow, dstStep, srcStep, cols, out int)

//go:noescape
func dotsAVX2(s, q, k *float32, stride, n, d int)

//go:noescape
func softmaxRowAVX2(s *float32, vecs int, c float32)

//go:noescape
func accumAVX2(o, s, v *float32, stride, n, d int)

//go:noescape
func scores1AVX512(s, q, k *float32, stride, n, d int)

//go:noescape
func scores2AVX512(s, q, k *float32, stride, n, d int)

//go:noescape
func scores3AVX512(s, q, k *float32, stride, n, d int)

//go:noescape
func values1AVX512(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func values2AVX512(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func values3AVX512(o, s, v, corr *float32, stride, n, d int)

//go:noescape
func softmaxAVX512(s, m, l, corr *float32, vecs, n int)

//go:noescape
func transposeAVX512(dst, src, c *float32, dstRow, srcRow, dstStep, srcStep, cols, out int)

//go:noescape
func dotsAVX512(s, q, k *float32, stride, n, d int)

//go:noescape
func softmaxRowAVX512(s *float32, vecs int, c float32)

//go:noescape
func accumAVX512(o, s, v *float32, stride, n, d int)
