package vision

import (
	"fmt"
	"math"
)

// Filter is a resampling filter. The values are Pillow's, as preprocessor
// configs store them in "resample".
type Filter int

// Pillow's filters.
const (
	Nearest  Filter = 0
	Lanczos  Filter = 1
	Bilinear Filter = 2
	Bicubic  Filter = 3
	Box      Filter = 4
	Hamming  Filter = 5
)

var filterNames = [...]string{"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"}

// String returns Pillow's name in lower case.
func (f Filter) String() string {
	if f < 0 || int(f) >= len(filterNames) {
		return fmt.Sprintf("filter %d", int(f))
	}
	return filterNames[f]
}

// support is the radius outside which the filter is zero.
func (f Filter) support() float64 {
	switch f {
	case Box:
		return 0.5
	case Bicubic:
		return 2
	case Lanczos:
		return 3
	}
	return 1
}

// weight is the filter at x.
//
// Source: Pillow, src/libImaging/Resample.c (Bicubic with a = -0.5).
func (f Filter) weight(x float64) float64 {
	switch f {
	case Box:
		if x > -0.5 && x <= 0.5 {
			return 1
		}
		return 0
	case Lanczos:
		if x >= -3 && x < 3 {
			return float64(sinc(x) * sinc(x/3))
		}
		return 0
	}
	x = math.Abs(x)
	switch {
	case f == Bicubic && x < 1:
		return float64((float64(1.5*x)-2.5)*x*x) + 1
	case f == Bicubic && x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * -0.5
	case f == Bilinear && x < 1:
		return 1 - x
	case f == Hamming && x == 0:
		return 1
	case f == Hamming && x < 1:
		x *= math.Pi
		return math.Sin(x) / x * (0.54 + float64(0.46*math.Cos(x)))
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// precision is the number of fraction bits of a weight: 32 bits less 8 for the
// sample and 2 for overshoot.
const precision = 32 - 8 - 2

// taps are the weights of one axis: output i is the sum of
// weights[i*size+k] * input[first[i]+k], k < count[i].
type taps struct {
	size         int
	first, count []int32
	weights      []int32
}

// newTaps computes the weights for outputs [from,to) of an axis that is resized
// from in to out. Products are converted explicitly: fused with an addition, as
// arm64 would, they round differently from Pillow's.
//
// Source: Pillow, precompute_coeffs and normalize_coeffs_8bpc.
func newTaps(in, out, from, to int, f Filter) *taps {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := f.support() * stretch
	size := int(math.Ceil(support))*2 + 1
	// A wide filter over a short axis: no window is longer than the axis.
	size = min(size, in)
	n := to - from
	t := &taps{size: size, first: make([]int32, n), count: make([]int32, n), weights: make([]int32, n*size)}
	w := make([]float64, size)
	inverse := 1 / stretch
	for i := range n {
		center := float64((float64(from+i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		count := min(int(center+support+0.5), in) - first
		sum := 0.0
		for k := range count {
			w[k] = f.weight((float64(k+first) - center + 0.5) * inverse)
			sum += w[k]
		}
		row := t.weights[i*size:]
		for k := range count {
			v := w[k]
			if sum != 0 {
				v /= sum
			}
			v *= 1 << precision
			if v < 0 {
				row[k] = int32(v - 0.5)
			} else {
				row[k] = int32(v + 0.5)
			}
		}
		t.first[i], t.count[i] = int32(first), int32(count)
	}
	return t
}
