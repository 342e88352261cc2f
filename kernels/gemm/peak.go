package gemm

import (
	"time"

	"syntic/kernels/isa"
)

// PeakFLOPS measures how many float32 operations a second one core does in a
// loop of independent multiply-adds that touches no memory: the ceiling of
// every kernel of the level. The portable figure is that of scalar Go code.
//
// Units: FLOP/s, the best of as many runs of about 20 µs as fit in d.
func PeakFLOPS(l isa.Level, d time.Duration) float64 {
	best := 0.0
	for end := time.Now().Add(d); ; {
		const n = 2000
		start := time.Now()
		flops := peak(l, n)
		best = max(best, flops/time.Since(start).Seconds())
		if time.Now().After(end) {
			return best
		}
	}
}

// peakPortable is n rounds of 8 chains.
func peakPortable(n int) float64 {
	a, b := make([]float32, n), make([]float32, 8*n)
	dot8(a, b)
	return float64(16 * n)
}
