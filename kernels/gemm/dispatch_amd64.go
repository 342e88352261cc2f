package gemm

import "syntic/kernels/isa"

// run calls the level's micro-kernel. A switch, not a function value: an
// argument of an indirect call escapes to the heap.
func (k *Kernel) run(t *tile) { tilePortable(t) }

func peak(_ isa.Level, n int) float64 { return peakPortable(n) }
