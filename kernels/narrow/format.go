package narrow

import (
	"unsafe"

	"syntic/kernels/elem"
	"syntic/kernels/isa"
)

// format says how the channels of a pixel and of a weight's column lie: in steps,
// each of words of 4 bytes.
//
// In bfloat16 a step of a pixel is 16 pairs of channels, a step of a panel for each
// of these its 32 columns. In int8 a step is a group with one scale: of a pixel the
// scale, the negative of the byte that means 0, fours of bytes; of a panel the sum
// of each column's bytes, which are signed, fours of bytes, scales.
type format struct {
	int8 bool
	deep int // channels of a step; those beyond the last are zero
	each int // steps of a pixel or of a column's tap
	a, b int // words of a step: of a pixel, of a panel
}

// format returns how c channels lie. Groups are as even as fours allow.
func (k *Kernel) format(c int) format {
	if k.with != isa.AVX512VNNI {
		return format{deep: tileK, each: up(c, tileK) / tileK, a: tileK / 2, b: tileK / 2 * cols}
	}
	n := up(c, scaleK) / scaleK
	deep := up((c+n-1)/n, 4)
	return format{int8: true, deep: deep, each: (c + deep - 1) / deep, a: 2 + deep/4, b: (deep/4 + 2) * cols}
}

// quantise is one call of the quantiser: the groups of one pixel. Assembly reads
// it by offset.
type quantise struct {
	dst  unsafe.Pointer // *uint32
	x    unsafe.Pointer // *float32
	n    int            // values, at least 1
	deep int            // of a group: fours
	even int            // 1 for weights: 0 is byte 128
}

// narrow writes x, some of a pixel's channels from a step's first one on, in whole
// steps; or, if weights, a column's.
func (k *Kernel) narrow(dst []uint32, x []float32, f format, weights bool) {
	if !f.int8 {
		h := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(dst))), up(len(x), tileK))
		k.toBF16(h, x)
		clear(h[len(x):])
		return
	}
	q := quantise{unsafe.Pointer(&dst[0]), unsafe.Pointer(&x[0]), len(x), f.deep, 0}
	if weights {
		q.even = 1
	}
	k.quantise(&q)
}

// toBF16 rounds values to the nearest bfloat16, ties to even.
func (k *Kernel) toBF16(dst []uint16, src []float32) { k.elem.ToBF16(elem.Bytes(dst[:len(src)]), src) }
