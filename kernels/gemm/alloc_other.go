//go:build !linux

package gemm

import "syntic/kernels/par"

func allocate(n int) []float32 { return par.Aligned(n) }
