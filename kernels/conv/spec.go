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
	// MaxError is the relative L2 error that Auto may choose an algorithm
	// for, 0 meaning the exactness of Direct. ErrorF2 and ErrorF4 are the
	// values that admit the Winograd algorithms.
	MaxError float64
}

// Relative L2 errors of the algorithms, upper bounds of what was measured on
// normal data for C up to 1280 (TestWinogradError holds them).
const (
	ErrorDirect = 5e-7
	ErrorF2     = 1e-6
	ErrorF4     = 4e-6
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

// choose resolves Auto.
func (s Spec) choose() Algo {
	g := s.geometry()
	switch {
	case s.Algorithm != Auto:
		return s.Algorithm
	case depthwiseShape(g):
		return Depthwise
	case !winogradShape(g) || s.MaxError < ErrorF2 || g.C < 32 || g.O < 32:
		return Direct
	case s.MaxError < ErrorF4:
		return WinogradF2
	}
	return WinogradF4
}
