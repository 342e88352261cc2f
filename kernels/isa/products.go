package isa

import (
	"sync"

	"github.com/klauspost/cpuid/v2"
)

// Products names instructions that multiply two or four neighbours of a narrow
// type and add the products to sums of 32 bits.
type Products uint8

const (
	// NoProducts means that the CPU has none.
	NoProducts Products = iota
	// AVX512BF16 is VDPBF16PS: pairs of bfloat16, vectors of 16 float32 sums.
	AVX512BF16
	// AMXBF16 is TDPBF16PS: pairs of bfloat16, tiles of 16×16 float32 sums.
	AMXBF16
	// AVX512VNNI is VPDPBUSD: four bytes, unsigned by signed, vectors of 16 int32 sums.
	AVX512VNNI
)

// String returns the name that doctor prints.
func (p Products) String() string {
	return [...]string{NoProducts: "none", AVX512BF16: "avx512-bf16", AMXBF16: "amx-bf16", AVX512VNNI: "avx512-vnni"}[p]
}

// amx asks the operating system for the tiles' state once a process: without
// its leave the first tile instruction is an illegal one.
var amx = sync.OnceValue(func() bool {
	return Supported(AVX512) && cpuid.CPU.Supports(cpuid.AMXTILE, cpuid.AMXBF16) && allowTiles()
})

// BF16 returns the instructions for products of bfloat16 that this CPU and
// operating system can run, slowest first. All come with the level AVX512.
func BF16() []Products {
	var ps []Products
	if Supported(AVX512) && cpuid.CPU.Supports(cpuid.AVX512BF16) {
		ps = append(ps, AVX512BF16)
	}
	if amx() {
		ps = append(ps, AMXBF16)
	}
	return ps
}

// Int8 returns the instructions for products of bytes that this CPU can run,
// slowest first. All come with the level AVX512.
func Int8() []Products {
	if Supported(AVX512) && cpuid.CPU.Supports(cpuid.AVX512VNNI) {
		return []Products{AVX512VNNI}
	}
	return nil
}
