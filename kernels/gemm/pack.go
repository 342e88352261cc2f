package gemm

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// packStep is how many k are packed at a time: 32 columns of them are 8 KB.
const packStep = 64

// bytesOf views floats as the bytes they are made of (little-endian machines
// only, as amd64 and arm64 are).
func bytesOf(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}

// halves returns the memory of f as n half-precision values.
func halves(f []float32, n int) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(f))), n)
}

// packPanel packs the columns [n0, n0+nr) of b, zeros past its last column.
// tmp is scratch of nr·packStep floats where b is half-precision.
func (k *Kernel) packPanel(dst []float32, b *Matrix, n0 int, tmp []float32) {
	if b.K == 0 {
		return
	}
	cols := min(k.nr, b.N-n0)
	if cols < k.nr {
		clear(dst)
	}
	size := b.Type.Size()
	if b.Layout == KN {
		k.packKN(dst, b.Data[n0*size:], b.Type, b.ld(), b.K, cols)
		return
	}
	for i := 0; i < b.K; i += packStep {
		n := min(packStep, b.K-i)
		src, ld := b.Data[(n0*b.ld()+i)*size:], b.ld()
		if b.Type != F32 {
			for c := range cols {
				k.widen(tmp[c*packStep:][:n], src[c*ld*size:], b.Type)
			}
			src, ld = bytesOf(tmp), packStep
		}
		k.transpose(dst[i*k.nr:], src, ld, cols, n)
	}
}

// packing is one call that packs rows of a matrix [K,N]. Assembly reads it by
// offset.
type packing struct {
	dst       unsafe.Pointer // row 0 of the first panel
	src       unsafe.Pointer
	ldd, lds  uintptr // bytes from row to row
	rows      int
	pieces    int     // of 16 columns
	odd, pair uintptr // bytes from an even piece to the odd one, and to the next pair
}

// packKN packs the first cols columns of rows rows into consecutive panels of
// that many rows.
func (k *Kernel) packKN(dst []float32, src []byte, typ DType, ld, rows, cols int) {
	done := k.packVectors(dst, src, typ, ld, rows, cols)
	for n := done; n < cols; {
		m := min(cols-n, k.nr-n%k.nr)
		for i := range rows {
			k.widen(dst[n/k.nr*k.nr*rows+i*k.nr+n%k.nr:][:m], src[(i*ld+n)*typ.Size():], typ)
		}
		n += m
	}
}

// transpose sets dst[j·nr+c] = src[c·ld+j] for c < cols and j < n.
func (k *Kernel) transpose(dst []float32, src []byte, ld, cols, n int) {
	c := k.transposeVectors(dst, src, ld, cols, n)
	for ; c < cols; c++ {
		transposeRow(dst[c:], src[c*ld*4:], k.nr, 0, n)
	}
}

func transposeRow(dst []float32, src []byte, nr, from, n int) {
	for j := from; j < n; j++ {
		dst[j*nr] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*j:]))
	}
}

// widen reads len(dst) values of type typ, which may start at any address.
func (k *Kernel) widen(dst []float32, src []byte, typ DType) {
	switch typ {
	case F16:
		k.elem.FromF16(dst, src[:2*len(dst)])
	case BF16:
		k.elem.FromBF16(dst, src[:2*len(dst)])
	default:
		copy(bytesOf(dst), src)
	}
}

// packHalf packs one panel as as, a few rows at a time. tmp is scratch of
// 2·nr·packStep floats.
func (k *Kernel) packHalf(dst []uint16, b *Matrix, n0 int, as DType, tmp []float32) {
	narrow := k.elem.ToF16
	if as == BF16 {
		narrow = k.elem.ToBF16
	}
	for i := 0; i < b.K; i += packStep {
		rows, step := *b, b.Type.Size()
		if rows.LD = b.ld(); b.Layout == KN {
			step *= rows.LD
		}
		rows.Data, rows.K = b.Data[i*step:], min(packStep, b.K-i)
		f := tmp[:rows.K*k.nr]
		k.packPanel(f, &rows, n0, tmp[packStep*k.nr:])
		narrow(halfBytes(dst[i*k.nr:][:len(f)]), f)
	}
}

func halfBytes(h []uint16) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(h))), 2*len(h))
}
