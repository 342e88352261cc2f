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

	// meanVar returns the mean and the mean squared deviation.
	meanVar func(x []float32) (mean, variance float32)
	// normalize sets dst = (x-mean)*r*w + b.
	normalize func(dst, x, w, b []float32, mean, r float32)
	// expSum sets dst = e^((x-top)*scale) and returns the sum.
	expSum func(dst, x []float32, scale, top float32) float32
	// pixelSums adds, for every channel, the sum of x-shift over the pixels
	// to sum and the sum of its square to sq.
	pixelSums func(sum, sq, x, shift []float32)
}

// Level returns the instruction set that the kernel uses.
func (k *Kernel) Level() isa.Level { return k.elem.Level() }

// Elem returns the element-wise functions of the same level.
func (k *Kernel) Elem() *elem.Kernel { return k.elem }

// For returns the functions for a level that this machine supports.
func For(l isa.Level) *Kernel {
	return portable(elem.For(l))
}

func check(ok bool, format string, args ...any) {
	if !ok {
		panic("norm: " + fmt.Sprintf(format, args...))
	}
}

// rows returns how many rows of n the lengths make.
func rows(dst, x, n int) int {
	check(dst == x, "length %d, want %d", dst, x)
	check(n > 0 && x%n == 0, "%d elements are no whole rows of %d", x, n)
	return x / n
}
