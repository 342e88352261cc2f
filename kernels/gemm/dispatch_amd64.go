package gemm

import (
	"unsafe"

	"syntic/kernels/isa"
)

//go:noescape
func tileAVX512(t *tile)

//go:noescape
func tileAVX2(t *tile)

// peakAVX512 does n rounds of 28 multiply-adds on 16 lanes.
//
//go:noescape
func peakAVX512(n int)

// peakAVX2 does n rounds of 12 multiply-adds on 8 lanes.
//
//go:noescape
func peakAVX2(n int)

// run calls the level's micro-kernel. A switch, not a function value: an
// argument of an indirect call escapes to the heap.
func (k *Kernel) run(t *tile) {
	switch k.level {
	case isa.AVX512:
		tileAVX512(t)
	case isa.AVX2:
		if t.cols == k.nr || t.flags&storeAcc != 0 {
			tileAVX2(t)
		} else {
			tailAVX2(t)
		}
	default:
		tilePortable(t)
	}
}

// tailAVX2 does a tile of fewer columns than a panel: the sums go through
// memory and the epilogue is in Go. Masked stores take 20 to 40 micro-operations
// on AMD's cores.
func tailAVX2(t *tile) {
	var sums [6 * 16]float32
	u := *t
	u.flags = t.flags&loadAcc | storeAcc
	if t.flags&loadAcc == 0 {
		u.acc = unsafe.Pointer(&sums)
	}
	tileAVX2(&u)
	for r := range t.rows {
		finish(floats(unsafe.Add(u.acc, r*16*4), t.cols), t, r)
	}
}

func peak(l isa.Level, n int) float64 {
	switch l {
	case isa.AVX512:
		peakAVX512(n)
		return float64(n) * 28 * 16 * 2
	case isa.AVX2:
		peakAVX2(n)
		return float64(n) * 12 * 8 * 2
	}
	return peakPortable(n)
}
