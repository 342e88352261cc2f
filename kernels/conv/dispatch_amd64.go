package conv

import "syntic/kernels/isa"

//go:noescape
func inputF2AVX512(dst []float32, plane int, src []float32, row, col, c int)

//go:noescape
func inputF4AVX512(dst []float32, plane int, src []float32, row, col, c int)

//go:noescape
func outputF2AVX512(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)

//go:noescape
func outputF4AVX512(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)

//go:noescape
func copyRunsAVX512(dst, src []float32, dstStep, srcStep, n, runs, run, runStep int)

//go:noescape
func maxTapsAVX512(dst, src []float32, kh, kw, row, col, c int)

//go:noescape
func inputF2AVX2(dst []float32, plane int, src []float32, row, col, c int)

//go:noescape
func inputF4AVX2(dst []float32, plane int, src []float32, row, col, c int)

//go:noescape
func outputF2AVX2(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)

//go:noescape
func outputF4AVX2(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)

//go:noescape
func copyRunsAVX2(dst, src []float32, dstStep, srcStep, n, runs, run, runStep int)

//go:noescape
func bandTileAVX512(c []float32, ldc int, a []float32, step, runs, run, runStep int, b, bias []float32, relu bool)

//go:noescape
func bandTileAVX2(c []float32, ldc int, a []float32, step, runs, run, runStep int, b, bias []float32, relu bool)

//go:noescape
func maxTapsAVX2(dst, src []float32, kh, kw, row, col, c int)

//go:noescape
func weightsF2AVX512(dst []float32, plane int, src []float32, row, col, n int)

//go:noescape
func weightsF2AVX2(dst []float32, plane int, src []float32, row, col, n int)

//go:noescape
func weightsF4AVX512(dst []float32, plane int, src []float32, row, col, n int)

//go:noescape
func weightsF4AVX2(dst []float32, plane int, src []float32, row, col, n int)

// assembly replaces the portable loops by the level's own. The transforms and
// AVX2 work on whole vectors, the portable loops do the last channels: in
// AVX-512 a masked store can't be forwarded to the loads of the second pass,
// which made a transform 4 times slower; on AMD's cores a masked store of AVX2
// is 20 to 40 micro-operations.
func (k *Kernel) assembly() {
	switch k.level {
	case isa.AVX512:
		k.inputF2, k.inputF4 = inputTail(16, inputF2AVX512, inputF2), inputTail(16, inputF4AVX512, inputF4)
		k.outputF2, k.outputF4 = outputTail(16, outputF2AVX512, outputF2), outputTail(16, outputF4AVX512, outputF4)
		k.copyRuns, k.maxTaps, k.bandTile, k.bandRows, k.bandCols = copyRunsAVX512, maxTapsAVX512, bandTileAVX512, 14, 32
		k.weightsF2, k.weightsF4, k.costs = weightsF2AVX512, weightsF4AVX512, costsAVX512
	case isa.AVX2:
		k.inputF2, k.inputF4 = inputTail(8, inputF2AVX2, inputF2), inputTail(8, inputF4AVX2, inputF4)
		k.outputF2, k.outputF4 = outputTail(8, outputF2AVX2, outputF2), outputTail(8, outputF4AVX2, outputF4)
		k.copyRuns, k.maxTaps, k.bandTile, k.bandRows, k.bandCols = copyRunsAVX2, maxTapsTail, bandTileAVX2, 6, 16
		k.weightsF2, k.weightsF4 = weightsF2AVX2, weightsF4AVX2
	}
}

func maxTapsTail(dst, src []float32, kh, kw, row, col, c int) {
	whole := c &^ 7
	if whole > 0 {
		maxTapsAVX2(dst, src, kh, kw, row, col, whole)
	}
	if whole < c {
		maxTaps(dst[whole:], src[whole:], kh, kw, row, col, c-whole)
	}
}

func inputTail(lanes int, vector, scalar inputFunc) inputFunc {
	return func(dst []float32, plane int, src []float32, row, col, c int) {
		whole := c - c%lanes
		if whole > 0 {
			vector(dst, plane, src, row, col, whole)
		}
		if whole < c {
			scalar(dst[whole:], plane, src[whole:], row, col, c-whole)
		}
	}
}

func outputTail(lanes int, vector, scalar outputFunc) outputFunc {
	return func(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool) {
		whole := n - n%lanes
		if whole > 0 {
			vector(dst, row, col, m, plane, bias, res, whole, relu)
		}
		if whole == n {
			return
		}
		if bias != nil {
			bias = bias[whole:]
		}
		if res != nil {
			res = res[whole:]
		}
		scalar(dst[whole:], row, col, m[whole:], plane, bias, res, n-whole, relu)
	}
}
