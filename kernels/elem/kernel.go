package elem

import (
	"fmt"

	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

// Kernel is the set of element-wise functions for one instruction set. Its
// methods neither allocate nor keep their arguments, and any number of
// goroutines may call them at once. Results depend on the arguments and the
// instruction set alone.
//
// Panics: every method panics when the lengths of its slices disagree.
type Kernel struct {
	level isa.Level

	act            [ref.Tanh + 1]func(dst, x []float32)
	exp, log       func(dst, x []float32)
	add, sub, mul  func(dst, x, y []float32)
	affine         func(dst, x []float32, s, t float32)
	affineRows     func(dst, x, s, t []float32)
	axpy           func(dst, x []float32, s float32)
	geluMul        func(dst, x, y []float32)
	max            func(x []float32) float32
	findGreater    func(x []float32, than float32) int
	sum            func(x []float32) float32
	dot            func(x, y []float32) float32
	fromF16        func(dst []float32, src []byte)
	toF16          func(dst []byte, src []float32)
	fromBF16       func(dst []float32, src []byte)
	toBF16         func(dst []byte, src []float32)
	transpose      func(dst, x []float32, ldd, ldx int)
	transposeBlock int
}

// Level returns the instruction set that the kernel uses.
func (k *Kernel) Level() isa.Level { return k.level }

// callLen bounds the elements of one assembly call to keep it under 50 µs, as
// the runtime can't preempt assembly: 16384 elements are 128 KB of traffic,
// 13 µs at 10 GB/s.
const callLen = 16384

// fail panics. Its callers test first: boxing the arguments allocates.
func fail(format string, args ...any) {
	panic("elem: " + fmt.Sprintf(format, args...))
}
