package narrow

import (
	"time"
	"unsafe"

	"syntic/kernels/par"
)

// PeakFLOPS measures how many operations a second one core does in products of
// operands that stay in the first-level cache: the ceiling of every kernel here.
//
// Units: FLOP/s, the best of as many runs of about 10 µs as fit in d.
func (k *Kernel) PeakFLOPS(d time.Duration) float64 {
	const rounds = 16
	f := k.format(256)
	a, b, sums := par.Aligned(k.rows*f.a), par.Aligned(f.each*f.b), par.Aligned(k.rows*cols)
	off, pixel := make([]int, f.each), make([]int32, k.rows)
	best := 0.0
	for end := time.Now().Add(d); ; {
		start := time.Now()
		for range rounds {
			k.product(&block{a: unsafe.Pointer(&a[0]), lda: uintptr(4 * f.a), off: unsafe.Pointer(&off[0]), k: f.each, quads: f.deep / 4, b: unsafe.Pointer(&b[0]), rows: k.rows,
				sums: unsafe.Pointer(&sums[0]), flags: storeSums, cols: cols, pixel: unsafe.Pointer(&pixel[0]), ahead: unsafe.Pointer(&b[0])})
		}
		best = max(best, 2*float64(rounds*f.each*f.deep*cols*k.rows)/time.Since(start).Seconds())
		if time.Now().After(end) {
			return best
		}
	}
}
