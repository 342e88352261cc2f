//go:build !amd64

package gemm

import "syntic/kernels/isa"

func (k *Kernel) run(t *tile) { tilePortable(t) }

func peak(_ isa.Level, n int) float64 { return peakPortable(n) }
