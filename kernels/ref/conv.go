package ref

import "fmt"

// Conv2D is the geometry of a 2-D convolution over x [N,H,W,C] with weights
// w [O,C/Groups,KH,KW] (a checkpoint's layout) that gives y [N,OutH,OutW,O].
//
// Range: strides, dilations and Groups count from 1; C and O are multiples of
// Groups; pads are rows or columns of zeros and may differ on opposite sides.
type Conv2D struct {
	N, H, W, C, O          int
	KH, KW                 int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	Groups                 int
}

// Out returns how many positions a window of k taps has on in values, or 0
// when it does not fit once.
func Out(in, k, stride, dil, padLo, padHi int) int {
	room := in + padLo + padHi - (k-1)*dil - 1
	if room < 0 {
		return 0
	}
	return room/stride + 1
}

// OutH returns the height of the result.
func (g Conv2D) OutH() int { return Out(g.H, g.KH, g.StrideH, g.DilH, g.PadT, g.PadB) }

// OutW returns the width of the result.
func (g Conv2D) OutW() int { return Out(g.W, g.KW, g.StrideW, g.DilW, g.PadL, g.PadR) }

// Check returns an error that names the first size which no convolution has.
func (g Conv2D) Check() error {
	for _, v := range []struct {
		name string
		v    int
	}{{"N", g.N}, {"H", g.H}, {"W", g.W}, {"C", g.C}, {"O", g.O}, {"KH", g.KH}, {"KW", g.KW}, {"stride of rows", g.StrideH},
		{"stride of columns", g.StrideW}, {"dilation of rows", g.DilH}, {"dilation of columns", g.DilW}, {"groups", g.Groups}} {
		if v.v < 1 {
			return fmt.Errorf("conv2d: %s is %d, must be at least 1", v.name, v.v)
		}
	}
	switch {
	case g.PadT < 0 || g.PadL < 0 || g.PadB < 0 || g.PadR < 0:
		return fmt.Errorf("conv2d: padding %d,%d,%d,%d (top, left, bottom, right) is negative", g.PadT, g.PadL, g.PadB, g.PadR)
	case g.C%g.Groups != 0 || g.O%g.Groups != 0:
		return fmt.Errorf("conv2d: %d input and %d output channels don't divide into %d groups", g.C, g.O, g.Groups)
	case g.OutH() == 0 || g.OutW() == 0:
		return fmt.Errorf("conv2d: a %dx%d kernel with dilation %dx%d doesn't fit into %dx%d with padding %d,%d,%d,%d",
			g.KH, g.KW, g.DilH, g.DilW, g.H, g.W, g.PadT, g.PadL, g.PadB, g.PadR)
	}
	return nil
}

// Convolve writes dst = act(conv(x, w) + bias + residual).
//
// Shapes: dst and residual [N,OutH,OutW,O], x [N,H,W,C], w [O,C/Groups,KH,KW],
// bias [O]; bias and residual may be nil.
func Convolve(dst []float64, x, w, bias, residual []float32, g Conv2D, act Act) {
	oh, ow, cg, og := g.OutH(), g.OutW(), g.C/g.Groups, g.O/g.Groups
	for i := range dst {
		n, p, q, o := i/(oh*ow*g.O), i/(ow*g.O)%oh, i/g.O%ow, i%g.O
		sum := 0.0
		for kh := range g.KH {
			for kw := range g.KW {
				h, v := p*g.StrideH+kh*g.DilH-g.PadT, q*g.StrideW+kw*g.DilW-g.PadL
				if h < 0 || h >= g.H || v < 0 || v >= g.W {
					continue
				}
				for c := range cg {
					sum += float64(x[((n*g.H+h)*g.W+v)*g.C+o/og*cg+c]) * float64(w[((o*cg+c)*g.KH+kh)*g.KW+kw])
				}
			}
		}
		if bias != nil {
			sum += float64(bias[o])
		}
		if residual != nil {
			sum += float64(residual[i])
		}
		dst[i] = act.Apply(sum)
	}
}

// ScaleShift writes dst[n,p,c] = act(x[n,p,c]·scale[n,c] + shift[n,c]), a
// normalisation whose statistics are known, such as a GroupNorm.
//
// Shapes: dst and x [N,P,C], scale and shift [N,C].
func ScaleShift(dst, x, scale, shift []float32, n, p, c int, act Act) {
	for i := range n * p * c {
		j := i/(p*c)*c + i%c
		dst[i] = float32(act.Apply(float64(x[i])*float64(scale[j]) + float64(shift[j])))
	}
}
