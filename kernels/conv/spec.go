package conv

import (
	"fmt"

	"syntic/kernels/gemm"
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

	// Storage is how packed weights are kept: halves take half the memory and are
	// widened, exactly, when they are used. Depthwise weights and those of first
	// layers stay float32.
	Storage gemm.DType

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
// WinogradF2 and 7.7e-7 to 9.0e-7 for WinogradF4. Winograd's errors are
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

// Choose returns the algorithm that New takes.
func (k *Kernel) Choose(s Spec) Algo { return s.choose(k.costs, k.gemm.NR()) }

// choose resolves Auto for panels of nr columns: the cheapest of the algorithms
// whose error MaxError allows.
func (s Spec) choose(c costs, nr int) Algo {
	g := s.geometry()
	switch {
	case s.Algorithm != Auto:
		return s.Algorithm
	case depthwiseShape(g):
		return Depthwise
	case !winogradShape(g):
		return Direct
	}
	best, least := Direct, c.of(g, 1, nr)
	if f2 := c.of(g, 2, nr); f2 < least {
		best, least = WinogradF2, f2
	}
	if s.MaxError >= ErrorF4 && c.of(g, 4, nr) < least {
		best = WinogradF4
	}
	return best
}

// costs are those of a 3x3 convolution's parts in multiply-adds, from times
// measured on one core, good within 20 % for the shapes of the benchmark.
type costs struct {
	read   int // the nine taps of a channel pair, from memory
	f2, f4 int // their transforms
	value  int // a transformed value: written, read, multiplied and so on
	copied int // a value of a receptive field
}

// An instruction set's costs: AVX-512 at 120 G multiply-adds a second, AVX2 at 48.
var (
	costsAVX512 = costs{read: 144, f2: 100, f4: 300, value: 35, copied: 3}
	costsAVX2   = costs{read: 128, f2: 60, f4: 190, value: 15, copied: 2}
)

// of is the cost by tiles of side x side outputs. It is that of one picture
// whatever N: a picture's bits must not depend on the batch.
func (c costs) of(g ref.Conv2D, side, nr int) int {
	tiles := ((g.OutH() + side - 1) / side) * ((g.OutW() + side - 1) / side)
	weights := g.C * ((g.O + nr - 1) / nr * nr)
	switch side {
	case 1:
		return tiles*9*(weights+c.copied*g.C) + c.read*weights
	case 2:
		return tiles*16*(weights+c.value*(g.C+g.O)) + (c.read+c.f2)*weights
	}
	return tiles*36*(weights+c.value*(g.C+g.O)) + (c.read+c.f4)*weights
}
