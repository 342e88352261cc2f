package norm

import (
	"math"

	"syntic/kernels/elem"
)

func portable(e *elem.Kernel) *Kernel {
	return &Kernel{
		elem: e, deviations: deviationsGo, normalize: normalizeGo,
		expSum: expSumGo, expTotal: expTotalGo, softmaxRows: softmaxRowsGo,
		columnSums: columnSumsGo, columnDeviations: columnDeviationsGo,
	}
}

func deviationsGo(x []float32, mean float32) (sum, sq float32) {
	var s, q float64
	for _, e := range x {
		d := float64(e - mean)
		s += d
		q += float64(d * d)
	}
	return float32(s), float32(q)
}

func normalizeGo(dst, x, w, b []float32, mean, r, shift float32) {
	for i, e := range x {
		v := float32((e-mean)*r) + shift
		dst[i] = float32(v*w[i]) + b[i]
	}
}

func expSumGo(dst, x []float32, scale, top float32) float32 {
	var s float64
	for i, e := range x {
		v := float32(math.Exp(float64((e - top) * scale)))
		dst[i] = v
		s += float64(v)
	}
	return float32(s)
}

func expTotalGo(x []float32, top float32) float32 {
	var s float64
	for _, e := range x {
		s += math.Exp(float64(e - top))
	}
	return float32(s)
}

func softmaxRowsGo(dst, x []float32, n int, scale float32) {
	for ; len(x) > 0; dst, x = dst[n:], x[n:] {
		top := x[0]
		for _, e := range x[:n] {
			if e > top || e != e {
				top = e
			}
		}
		r := 1 / expSumGo(dst[:n], x[:n], scale, top)
		for i := range n {
			dst[i] *= r
		}
	}
}

func columnSumsGo(sum, x []float32) {
	clear(sum)
	for i := 0; i < len(x); i += len(sum) {
		for c, v := range x[i : i+len(sum)] {
			sum[c] += v
		}
	}
}

func columnDeviationsGo(sum, sq, x, pivot []float32) {
	clear(sum)
	clear(sq)
	for i := 0; i < len(x); i += len(sum) {
		for c, v := range x[i : i+len(sum)] {
			d := v - pivot[c]
			sum[c] += d
			sq[c] += float32(d * d)
		}
	}
}
