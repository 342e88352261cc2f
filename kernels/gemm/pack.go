package gemm

import (
	"encoding/binary"
	"math"
	"unsafe"

	"syntic/kernels/par"
)

// bytesOf views floats as the bytes they are made of (little-endian machines
// only, as amd64 and arm64 are).
func bytesOf(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}

func alignedHalf(n int) []uint16 {
	f := par.Aligned((n + 1) / 2)
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(f))), n)
}

// packPanel packs the columns [n0, n0+nr) of b, zeros past its last column.
func packPanel(dst []float32, b *Matrix, n0, nr int) {
	cols := min(nr, b.N-n0)
	if cols < nr {
		clear(dst)
	}
	at := valueAt(b)
	if b.Layout == KN {
		for k := range b.K {
			for n := range cols {
				dst[k*nr+n] = at(k*b.ld() + n0 + n)
			}
		}
		return
	}
	for n := range cols {
		row := (n0 + n) * b.ld()
		for k := range b.K {
			dst[k*nr+n] = at(row + k)
		}
	}
}

func packHalf(dst []uint16, b *Matrix, n0, nr int, as DType) {
	f := make([]float32, len(dst))
	packPanel(f, b, n0, nr)
	for i, v := range f {
		if as == F16 {
			dst[i] = toF16(v)
		} else {
			dst[i] = toBF16(v)
		}
	}
}

// valueAt returns how to read value i of b.
func valueAt(b *Matrix) func(i int) float32 {
	d := b.Data
	switch b.Type {
	case F16:
		return func(i int) float32 { return fromF16(binary.LittleEndian.Uint16(d[2*i:])) }
	case BF16:
		return func(i int) float32 { return fromBF16(binary.LittleEndian.Uint16(d[2*i:])) }
	}
	return func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(d[4*i:])) }
}

// widenBytes reads len(dst) values of type typ.
func widenBytes(dst []float32, src []byte, typ DType) {
	m := Matrix{Data: src, Type: typ}
	at := valueAt(&m)
	for i := range dst {
		dst[i] = at(i)
	}
}
