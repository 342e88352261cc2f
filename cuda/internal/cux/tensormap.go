//go:build cuda && linux

package cux

// #include "cux.h"
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// TensorMap tells the copy engine how a tensor lies in memory; kernels take it by
// value.
type TensorMap struct{ opaque [16]uint64 }

// EncodeHalves describes halves of two to five dimensions, the fastest first, copied
// in boxes, of which every step-th element, into rows of 64 swizzled by 128 bytes;
// what lies outside the tensor becomes zeros. strides are the bytes from one element
// to the next of every dimension but the first.
//
// Errors: the driver's, for what the copy engine can't do.
func EncodeHalves(base cu.DevicePtr, dims, strides, box, step []int) (TensorMap, error) {
	var d [5]C.cuuint64_t
	var s [4]C.cuuint64_t
	var b, e [5]C.cuuint32_t
	for i := range dims {
		d[i], b[i], e[i] = C.cuuint64_t(dims[i]), C.cuuint32_t(box[i]), C.cuuint32_t(step[i])
		if i > 0 {
			s[i-1] = C.cuuint64_t(strides[i-1])
		}
	}
	var m TensorMap
	err := result(C.cux_encode_halves(unsafe.Pointer(&m), C.CUdeviceptr(base), C.int(len(dims)), &d[0], &s[0], &b[0], &e[0]))
	return m, err
}

// AllowShared lets a kernel's launches take up to so many bytes of dynamic shared
// memory.
func AllowShared(f cu.Function, bytes int) error {
	return result(C.cuFuncSetAttribute(*(*C.CUfunction)(unsafe.Pointer(&f)), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}
