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
	const steps, rounds = 8, 16
	a, b, sums := par.Aligned(k.rows*deep/2), par.Aligned(steps*deep*cols/2), par.Aligned(k.rows*cols)
	off, pixel := make([]int, steps), make([]int32, k.rows)
	best := 0.0
	for end := time.Now().Add(d); ; {
		start := time.Now()
		for range rounds {
			k.product(&block{a: unsafe.Pointer(&a[0]), lda: 2 * deep, off: unsafe.Pointer(&off[0]), k: steps, b: unsafe.Pointer(&b[0]), rows: k.rows,
				sums: unsafe.Pointer(&sums[0]), flags: storeSums, cols: cols, pixel: unsafe.Pointer(&pixel[0]), ahead: unsafe.Pointer(&b[0])})
		}
		best = max(best, 2*rounds*steps*deep*cols*float64(k.rows)/time.Since(start).Seconds())
		if time.Now().After(end) {
			return best
		}
	}
}
