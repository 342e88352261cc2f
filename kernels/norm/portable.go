package norm

import (
	"math"

	"syntic/kernels/elem"
)

func portable(e *elem.Kernel) *Kernel {
	return &Kernel{elem: e, meanVar: meanVarGo, normalize: normalizeGo, expSum: expSumGo, pixelSums: pixelSumsGo}
}

func meanVarGo(x []float32) (mean, variance float32) {
	var s, v float64
	for _, e := range x {
		s += float64(e)
	}
	m := s / float64(len(x))
	for _, e := range x {
		d := float64(e) - m
		v += float64(d * d)
	}
	return float32(m), float32(v / float64(len(x)))
}

func normalizeGo(dst, x, w, b []float32, mean, r float32) {
	for i, e := range x {
		v := float32((e - mean) * r)
		if w != nil {
			v = float32(v * w[i])
		}
		if b != nil {
			v += b[i]
		}
		dst[i] = v
	}
}

func expSumGo(dst, x []float32, scale, top float32) float32 {
	var s float64
	for i, e := range x {
		v := float32(math.Exp(float64(e-top) * float64(scale)))
		dst[i] = v
		s += float64(v)
	}
	return float32(s)
}

func pixelSumsGo(sum, sq, x, shift []float32) {
	c := len(sum)
	for i := 0; i < len(x); i += c {
		for j, s := range shift {
			d := x[i+j] - s
			sum[j] += d
			sq[j] += float32(d * d)
		}
	}
}
