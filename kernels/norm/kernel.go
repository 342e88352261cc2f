package norm

import (
	"fmt"

	"syntic/kernels/elem"
	"syntic/kernels/isa"
)

// Kernel is the set of normalisation functions for one instruction set. Its
// methods neither allocate nor keep their arguments, and any number of
// goroutines may call them at once. Results depend on the arguments and the
// instruction set alone, and a row's bits don't depend on the other rows.
//
// Panics: every method panics when the lengths of its slices disagree.
type Kernel struct {
	elem *elem.Kernel

	// deviations returns Σ(x-mean) and Σ(x-mean)².
	deviations func(x []float32, mean float32) (sum, sq float32)
	// normalize sets dst = ((x-mean)*r + shift)*w + b.
	normalize func(dst, x, w, b []float32, mean, r, shift float32)
	// expSum sets dst = e^((x-top)*scale) and returns the sum.
	expSum func(dst, x []float32, scale, top float32) float32
	// expTotal returns Σe^(x-top).
	expTotal func(x []float32, top float32) float32
	// softmaxRows sets each row of n to e^((x-max)*scale)/Σ.
	softmaxRows func(dst, x []float32, n int, scale float32)
	// columnSums sets sum[c] to the sum of x[p,c] over the pixels p.
	columnSums func(sum, x []float32)
	// columnDeviations sets sum[c] to the sum of x[p,c]-pivot[c] over the
	// pixels and sq[c] to that of its square.
	columnDeviations func(sum, sq, x, pivot []float32)
}

// Level returns the instruction set that the kernel uses.
func (k *Kernel) Level() isa.Level { return k.elem.Level() }

// Elem returns the element-wise functions of the same level.
func (k *Kernel) Elem() *elem.Kernel { return k.elem }

// fail panics. Its callers test first: boxing the arguments allocates.
func fail(format string, args ...any) {
	panic("norm: " + fmt.Sprintf(format, args...))
}

// rows returns how many rows of n the lengths make.
func rows(dst, x, n int) int {
	if dst != x {
		fail("length %d, want %d", dst, x)
	}
	if n <= 0 || x%n != 0 {
		fail("%d elements are no whole rows of %d", x, n)
	}
	return x / n
}
