package gemm

import (
	"syscall"
	"unsafe"

	"syntic/kernels/par"
)

// hugePage is the size of a transparent huge page on amd64, and on arm64 with
// 4 KB pages.
const hugePage = 2 << 20

// allocate returns n zeroed floats on a 64-byte boundary. Large ones start on
// a huge page and ask for huge pages: a panel of 4 KB pages costs a TLB miss
// for every 32 steps of k, 2 to 4 % of a large product.
func allocate(n int) []float32 {
	if 4*n < 2*hugePage {
		return par.Aligned(n)
	}
	const floats = hugePage / 4
	f := make([]float32, n+floats-1)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(unsafe.SliceData(f))) % hugePage); r != 0 {
		skip = (hugePage - r) / 4
	}
	f = f[skip : skip+n : skip+n]
	// Advice alone: the memory is as good without it.
	_ = syscall.Madvise(bytesOf(f)[:4*n/hugePage*hugePage], syscall.MADV_HUGEPAGE)
	return f
}
