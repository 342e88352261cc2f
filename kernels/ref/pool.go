package ref

import "math"

// MaxPool writes the largest value under each window of g, channel by channel;
// padding never wins, and a NaN under the window makes the result NaN.
//
// Shapes: dst [N,OutH,OutW,C], x [N,H,W,C]; g.O and g.Groups are not used.
// Source: torch.nn.MaxPool2d.
func MaxPool(dst, x []float32, g Conv2D) {
	pool(x, g, func(i int, window []float32) {
		m := math.Inf(-1)
		for _, v := range window {
			if f := float64(v); f > m || math.IsNaN(f) {
				m = f
			}
		}
		dst[i] = float32(m)
	})
}

// AvgPool writes the mean under each window of g, channel by channel. The
// divisor counts padding if countPad, else only the values of x.
//
// Shapes: as MaxPool. Source: torch.nn.AvgPool2d (count_include_pad).
func AvgPool(dst, x []float32, g Conv2D, countPad bool) {
	pool(x, g, func(i int, window []float32) {
		sum, n := 0.0, len(window)
		for _, v := range window {
			sum += float64(v)
		}
		if countPad {
			n = g.KH * g.KW
		}
		dst[i] = float32(sum / float64(n))
	})
}

// pool calls f with the index of every output and the values under its window.
func pool(x []float32, g Conv2D, f func(i int, window []float32)) {
	oh, ow := g.OutH(), g.OutW()
	for i := range g.N * oh * ow * g.C {
		n, p, q, c := i/(oh*ow*g.C), i/(ow*g.C)%oh, i/g.C%ow, i%g.C
		var window []float32
		for kh := range g.KH {
			for kw := range g.KW {
				h, v := p*g.StrideH+kh*g.DilH-g.PadT, q*g.StrideW+kw*g.DilW-g.PadL
				if h >= 0 && h < g.H && v >= 0 && v < g.W {
					window = append(window, x[((n*g.H+h)*g.W+v)*g.C+c])
				}
			}
		}
		f(i, window)
	}
}
