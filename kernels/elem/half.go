package elem

import "unsafe"

// The conversions read and write little-endian halves in byte slices, which
// may start anywhere: mapped weight files don't align their tensors.

// FromF16 widens IEEE half precision; exact, and a NaN keeps its payload.
//
// Shapes: src has 2 bytes an element.
func (k *Kernel) FromF16(dst []float32, src []byte) { widen(k.fromF16, dst, src) }

// FromBF16 widens bfloat16; exact, and a NaN keeps its payload.
//
// Shapes: src has 2 bytes an element.
func (k *Kernel) FromBF16(dst []float32, src []byte) { widen(k.fromBF16, dst, src) }

// ToF16 rounds to the nearest half, ties to even; beyond 65520 it is infinite.
// A NaN becomes quiet and keeps the top 9 bits of its payload.
//
// Shapes: dst has 2 bytes an element.
func (k *Kernel) ToF16(dst []byte, src []float32) { narrow(k.toF16, dst, src) }

// ToBF16 rounds to the nearest bfloat16, ties to even. A NaN becomes quiet and
// keeps the top 6 bits of its payload.
//
// Shapes: dst has 2 bytes an element.
func (k *Kernel) ToBF16(dst []byte, src []float32) { narrow(k.toBF16, dst, src) }

// Bytes returns the memory of h as bytes, for the conversions.
func Bytes(h []uint16) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(h))), 2*len(h))
}

func widen(f func([]float32, []byte), dst []float32, src []byte) {
	sameLen(len(src), 2*len(dst))
	for len(dst) > 0 {
		n := min(callLen, len(dst))
		f(dst[:n], src[:2*n])
		dst, src = dst[n:], src[2*n:]
	}
}

func narrow(f func([]byte, []float32), dst []byte, src []float32) {
	sameLen(len(dst), 2*len(src))
	for len(src) > 0 {
		n := min(callLen, len(src))
		f(dst[:2*n], src[:n])
		dst, src = dst[2*n:], src[n:]
	}
}
