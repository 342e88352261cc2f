package narrow

import (
	"fmt"
	"slices"
	"unsafe"

	"syntic/kernels/elem"
	"syntic/kernels/isa"
)

//go:generate go run ../_gen/narrow -out .

const (
	cols   = 32  // columns of a panel
	tileK  = 32  // values of k of a step in bfloat16
	scaleK = 160 // most values of k with one scale
)

// Kernel is the micro-kernels of one kind of instructions.
//
// Concurrency: immutable; any number of goroutines may use it.
type Kernel struct {
	with isa.Products
	rows int // of a group: the kernels read whole groups of rows
	call int // most products of a row group and step in one call, which can't be preempted: 30 µs
	elem *elem.Kernel
}

// For returns the kernels for these instructions.
//
// Panics: if this machine can't run them.
func For(p isa.Products) *Kernel {
	if !slices.Contains(isa.BF16(), p) && !slices.Contains(isa.Int8(), p) {
		panic(fmt.Sprintf("narrow: this CPU can't run %s", p))
	}
	k := &Kernel{with: p, rows: 12, elem: elem.For(isa.AVX512)}
	switch p {
	case isa.AMXBF16:
		k.rows, k.call = 32, 1400
	case isa.AVX512VNNI:
		k.call = 100
	default:
		k.call = 200
	}
	return k
}

// Best returns the fastest of these, which are in order; nil if there are none.
func Best(ps []isa.Products) *Kernel {
	if len(ps) == 0 {
		return nil
	}
	return For(ps[len(ps)-1])
}

// Products returns the instructions.
func (k *Kernel) Products() isa.Products { return k.with }

// What a block does besides multiplying.
const (
	loadSums  = 1 << iota // add to the sums in memory
	storeSums             // keep the sums and stop
	addResidual
	doReLU
	stream // store past the caches: whole lines
)

// block is one call of a micro-kernel: rows of A by one panel, some steps of k.
// Assembly reads it by offset.
type block struct {
	a         unsafe.Pointer // *uint32, row 0
	lda       uintptr        // bytes
	off       unsafe.Pointer // *int, for each step the bytes from a row's start to its part
	k         int            // steps, at least 1
	quads     int            // int8: fours of values of a step
	b         unsafe.Pointer // *uint32, k steps of a panel (see format)
	rows      int            // at least 1
	sums      unsafe.Pointer // *float32, a group of rows × 32
	sumStep   uintptr        // bytes from group to group
	flags     int
	cols      int
	c         unsafe.Pointer // *float32
	ldc       uintptr        // bytes
	pixel     unsafe.Pointer // *int32, each row's place in c and res, negative for none
	bias      unsafe.Pointer // *float32, cols
	res       unsafe.Pointer // *float32
	ldr       uintptr        // bytes
	row       unsafe.Pointer // used by the assembly
	ahead     unsafe.Pointer // fetched into L2 meanwhile, four lines a step of k (tiles only)
	aheadStep uintptr        // bytes
}

// words views the memory of f as packed values.
func words(f []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
}

// halves views the memory of f as bfloat16 values.
func halves(f []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(f))), 2*len(f))
}

// up rounds n up to a multiple of m.
func up(n, m int) int { return (n + m - 1) / m * m }
