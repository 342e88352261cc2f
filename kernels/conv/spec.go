package conv

import (
	"fmt"

	"syntic/kernels/ref"
)

// Algo names a way to compute a convolution.
type Algo uint8

const (
	// Auto lets New choose; see Spec.MaxError.
	Auto Algo = iota
	// Direct multiplies receptive fields by the weights: any shape.
	Direct
	// WinogradF2 computes 2x2 outputs of a 3x3 stride-1 kernel with 16
	// multiplications instead of 36.
	WinogradF2
	// WinogradF4 computes 4x4 outputs with 36 multiplications instead of 144.
	WinogradF4
	// Depthwise is for Groups == C == O.
	Depthwise
)

var algoNames = [...]string{"auto", "direct", "winograd-f2", "winograd-f4", "depthwise"}

// String returns the name that keys and reports use.
func (a Algo) String() string { return algoNames[a] }

// Spec says what a convolution computes and what may be fused into it:
//
//	y = Act(conv(NormAct(x·scale + shift), w) + bias + residual)
//
// Zero means 1 for strides, dilations and Groups.
type Spec struct {
	N, H, W, C, O          int // x is [N,H,W,C], y is [N,OutH,OutW,O]
	KH, KW                 int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	Groups                 int

	Bias, Residual bool
	Act            ref.Act

	// Norm applies NormAct(x[n,h,w,c]·scale[n,c] + shift[n,c]) to the input
	// while it is packed; padding stays zero. With it, a GroupNorm and its
	// SiLU need no pass over memory of their own.
	Norm    bool
	NormAct ref.Act

	// Algorithm other than Auto is used as given; New panics when the shape
	// does not allow it.
	Algorithm Algo
	// MaxError is the relative L2 error that Auto may trade for speed: from
	// ErrorF4 on it may choose WinogradF4. 0 means as exact as Direct.
	MaxError float64
}

// Relative L2 errors of the algorithms for normal data and up to 1280
// channels: upper bounds of what TestWinogradError measures, which is, with
// AVX2 or AVX-512, 2.7e-7 to 3.1e-7 for Direct, 2.6e-7 to 3.0e-7 for
// WinogradF2 and 7.7e-7 to 8.9e-7 for WinogradF4. Winograd's errors are
// relative to the largest values of a tile, not to each output, and a NaN or
// an infinity spoils the whole tile.
const (
	ErrorDirect = 5e-7
	ErrorF2     = 5e-7
	ErrorF4     = 1e-6
)

// geometry returns the sizes with their defaults filled in.
func (s Spec) geometry() ref.Conv2D {
	one := func(v int) int {
		if v == 0 {
			return 1
		}
		return v
	}
	return ref.Conv2D{N: s.N, H: s.H, W: s.W, C: s.C, O: s.O, KH: s.KH, KW: s.KW,
		StrideH: one(s.StrideH), StrideW: one(s.StrideW), PadT: s.PadT, PadL: s.PadL, PadB: s.PadB, PadR: s.PadR,
		DilH: one(s.DilH), DilW: one(s.DilW), Groups: one(s.Groups)}
}

// OutH returns the height of the result, 0 if the kernel does not fit.
func (s Spec) OutH() int { return s.geometry().OutH() }

// OutW returns the width of the result, 0 if the kernel does not fit.
func (s Spec) OutW() int { return s.geometry().OutW() }

// Check returns an error that says which size is impossible, or that the
// shape does not allow the algorithm.
func (s Spec) Check() error {
	g := s.geometry()
	if err := g.Check(); err != nil {
		return err
	}
	switch s.Algorithm {
	case Auto, Direct:
		return nil
	case WinogradF2, WinogradF4:
		if winogradShape(g) {
			return nil
		}
	case Depthwise:
		if depthwiseShape(g) {
			return nil
		}
	default:
		return fmt.Errorf("conv2d: unknown algorithm %d", s.Algorithm)
	}
	return fmt.Errorf("conv2d: algorithm %v does not compute a %dx%d kernel of stride %dx%d, dilation %dx%d, %d groups, %d to %d channels",
		s.Algorithm, g.KH, g.KW, g.StrideH, g.StrideW, g.DilH, g.DilW, g.Groups, g.C, g.O)
}

func winogradShape(g ref.Conv2D) bool {
	return g.KH == 3 && g.KW == 3 && g.StrideH == 1 && g.StrideW == 1 && g.DilH == 1 && g.DilW == 1 && g.Groups == 1
}

func depthwiseShape(g ref.Conv2D) bool { return g.Groups == g.C && g.O == g.C && g.C > 1 }

// choose resolves Auto for panels of nr columns: the cheapest of the exact
// algorithms, or WinogradF4 where MaxError allows it and it is a fifth cheaper
// still, for its weights take 2.25 times the memory of WinogradF2's.
func (s Spec) choose(nr int) Algo {
	g := s.geometry()
	switch {
	case s.Algorithm != Auto:
		return s.Algorithm
	case depthwiseShape(g):
		return Depthwise
	case !winogradShape(g):
		return Direct
	}
	best, direct, f2, f4 := Direct, cost(g, 1, 9, nr), cost(g, 2, 16, nr), cost(g, 4, 36, nr)
	if f2 < direct {
		best, direct = WinogradF2, f2
	}
	if s.MaxError >= ErrorF4 && 5*f4 < 4*direct {
		best = WinogradF4
	}
	return best
}

// Costs in multiplications, from times measured on one core with AVX-512 (120 G
// multiply-adds a second) and good within 20 % for the shapes of the benchmark:
// a weight comes from memory at 7.5 G a second, a transformed value is written,
// read, multiplied and so on at 3.4 G a second.
const (
	costOfWeight = 16
	costOfValue  = 35
	costOfCopy   = 3
)

// cost of a 3x3 convolution by tiles of side x side outputs, points
// multiplications each. It is that of one picture whatever N: a picture's bits
// must not depend on the batch.
func cost(g ref.Conv2D, side, points, nr int) int {
	tiles := ((g.OutH() + side - 1) / side) * ((g.OutW() + side - 1) / side)
	o := (g.O + nr - 1) / nr * nr
	weights := points * g.C * o
	values := costOfValue * (g.C + g.O)
	if side == 1 {
		values = costOfCopy * g.C
	}
	return tiles*(weights+points*values) + costOfWeight*weights
}
