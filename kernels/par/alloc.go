package par

import "unsafe"

// Aligned returns n zeroed floats that start on a 64-byte boundary.
func Aligned(n int) []float32 { return aligned(n, 64) }

func aligned(n, bytes int) []float32 {
	if n == 0 {
		return nil
	}
	s := make([]float32, n+bytes/4-1)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(unsafe.SliceData(s))) % uintptr(bytes)); r != 0 {
		skip = (bytes - r) / 4
	}
	return s[skip : skip+n : skip+n]
}

// hugePage is the size of a transparent huge page on amd64, and on arm64 with
// 4 KB pages.
const hugePage = 2 << 20

// Huge is Aligned for large arrays: it starts on a huge page and asks for huge
// pages. With 4 KB pages a panel of weights costs a TLB miss for every 32 steps
// of k, 2 to 4 % of a large product.
func Huge(n int) []float32 {
	if 4*n < hugePage {
		return Aligned(n)
	}
	f := aligned(n, hugePage)
	adviseHuge(f)
	return f
}

// slabSize is how much Alloc takes at once: a tower's weights are hundreds of
// arrays of 1 to 9 MB, which on their own would straddle huge pages.
const slabSize = 32 << 20 / 4

// AllocHalves is Alloc for n values of two bytes.
func (p *Pool) AllocHalves(n int) []uint16 {
	f := p.Alloc((n + 1) / 2)
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(f))), n)
}

// Alloc returns n zeroed floats on a 64-byte boundary for data that lives about
// as long as the pool, such as packed weights. Arrays share large blocks that
// ask for huge pages; a block is freed when none of its arrays is in use.
//
// Concurrency: any goroutine may call it.
func (p *Pool) Alloc(n int) []float32 {
	if n >= slabSize/4 {
		return Huge(n)
	}
	const line = 64 / 4
	p.slabMu.Lock()
	defer p.slabMu.Unlock()
	size := (n + line - 1) / line * line
	if size > len(p.slab) {
		p.slab = Huge(slabSize)
	}
	s := p.slab[:n:n]
	p.slab = p.slab[size:]
	return s
}
