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

//go:noescape
func transpose8AVX2(dst, src unsafe.Pointer, ldd, lds uintptr, blocks int)

//go:noescape
func packRowsF32AVX2(p *packing)

//go:noescape
func packRowsF16AVX2(p *packing)

//go:noescape
func packRowsBF16AVX2(p *packing)

// packVectors packs the columns that make whole pieces of 16 and returns their
// number.
func (k *Kernel) packVectors(dst []float32, src []byte, typ DType, ld, rows, cols int) int {
	if k.level == isa.Portable || cols < 16 || rows == 0 {
		return 0
	}
	// A call of 64 KB or so takes a few microseconds.
	step := max(1, 1<<14/cols)
	for r := 0; r < rows; r += step {
		p := packing{dst: unsafe.Pointer(&dst[r*k.nr]), src: unsafe.Pointer(&src[r*ld*typ.Size()]), ldd: uintptr(4 * k.nr),
			lds: uintptr(ld * typ.Size()), rows: min(step, rows-r), pieces: cols / 16}
		if panel := uintptr(4 * k.nr * rows); k.nr == 32 {
			p.odd, p.pair = 64, panel
		} else {
			p.odd, p.pair = panel, 2*panel
		}
		switch typ {
		case F32:
			packRowsF32AVX2(&p)
		case F16:
			packRowsF16AVX2(&p)
		default:
			packRowsBF16AVX2(&p)
		}
	}
	return cols &^ 15
}

// transposeVectors transposes as many columns as make whole vectors and
// returns their number.
func (k *Kernel) transposeVectors(dst []float32, src []byte, ld, cols, n int) int {
	if k.level == isa.Portable || n < 8 {
		return 0
	}
	c := 0
	for ; c+8 <= cols; c += 8 {
		transpose8AVX2(unsafe.Pointer(&dst[c]), unsafe.Pointer(&src[4*c*ld]), uintptr(4*k.nr), uintptr(4*ld), n/8)
		for r := range 8 {
			transposeRow(dst[c+r:], src[4*(c+r)*ld:], k.nr, n&^7, n)
		}
	}
	return c
}

//go:noescape
func dots1F32AVX2(d *dots)

//go:noescape
func dots1F16AVX2(d *dots)

//go:noescape
func dots1BF16AVX2(d *dots)

//go:noescape
func dots1F32AVX512(d *dots)

//go:noescape
func dots1F16AVX512(d *dots)

//go:noescape
func dots1BF16AVX512(d *dots)

//go:noescape
func dots4F32AVX512(d *dots)

//go:noescape
func dots4F16AVX512(d *dots)

//go:noescape
func dots4BF16AVX512(d *dots)

// tailMasks is read at 64-4n to mask the first n of 16 lanes.
var tailMasks = [32]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

// dots multiplies with the given number of vectors, 1 or what k.vectors says.
func (k *Kernel) dots(d *dots, typ DType, vectors int) {
	switch {
	case k.level == isa.Portable:
		dotsPortable(d, vectors)
	case vectors == 4 && typ == F32:
		dots4F32AVX512(d)
	case vectors == 4 && typ == F16:
		dots4F16AVX512(d)
	case vectors == 4:
		dots4BF16AVX512(d)
	case k.level == isa.AVX512 && typ == F32:
		dots1F32AVX512(d)
	case k.level == isa.AVX512 && typ == F16:
		dots1F16AVX512(d)
	case k.level == isa.AVX512:
		dots1BF16AVX512(d)
	case typ == F32:
		dots1F32AVX2(d)
	case typ == F16:
		dots1F16AVX2(d)
	default:
		dots1BF16AVX2(d)
	}
}
