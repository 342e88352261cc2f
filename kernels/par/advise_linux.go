package par

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks for huge pages for the whole ones that f covers. It is advice
// alone: the memory is as good without it.
func adviseHuge(f []float32) {
	if n := 4 * len(f) / hugePage * hugePage; n > 0 {
		_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), n), syscall.MADV_HUGEPAGE)
	}
}
