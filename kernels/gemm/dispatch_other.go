//go:build !amd64

package gemm

import "syntic/kernels/isa"

func (k *Kernel) run(t *tile) { tilePortable(t) }

func peak(_ isa.Level, n int) float64 { return peakPortable(n) }

func (k *Kernel) transposeVectors(_ []float32, _ []byte, _, _, _ int) int { return 0 }

func (k *Kernel) dots(d *dots, _ DType, vectors int) { dotsPortable(d, vectors) }

func (k *Kernel) packVectors(_ []float32, _ []byte, _ DType, _, _, _ int) int { return 0 }
