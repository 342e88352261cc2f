package gemm

import (
	"fmt"
	"unsafe"

	"syntic/kernels/elem"
	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

// KC is the length of a block of k: the unit of the summation order, but for
// weights in shorter chains.
const KC = 256

// Act names the activation that ends an epilogue.
type Act = ref.Act

// Kernel is one instruction set's micro-kernels.
//
// Concurrency: immutable; any number of goroutines may use it.
type Kernel struct {
	level  isa.Level
	mr, nr int // largest tile of C that stays in registers
	mc, nc int // block of C whose partial sums and rows of A stay in L2
	span   int // steps of k per pass over such a block, a multiple of KC
	elem   *elem.Kernel
}

// For returns the kernels of a level.
//
// Panics: if this machine can't run the level.
func For(l isa.Level) *Kernel {
	if !isa.Supported(l) {
		panic(fmt.Sprintf("gemm: this CPU can't run %s", l))
	}
	switch l {
	case isa.AVX512:
		return &Kernel{l, 14, 32, 84, 1024, 512, elem.For(l)}
	case isa.AVX2:
		return &Kernel{l, 6, 16, 96, 512, 512, elem.For(l)}
	}
	return &Kernel{l, 4, 8, 64, 256, 512, elem.For(l)}
}

// Level returns the instruction set.
func (k *Kernel) Level() isa.Level { return k.level }

// NR returns the number of columns of a panel: the n0 of every Block is a
// multiple of it.
func (k *Kernel) NR() int { return k.nr }

// MR returns the most rows of a register tile. Blocks of a multiple of it, or
// of many times it, lose least.
func (k *Kernel) MR() int { return k.mr }

// What a tile does besides multiplying, in this order.
const (
	loadAcc  = 1 << iota // add the sums of the earlier blocks of k
	storeAcc             // keep the sum for the next block and stop
	doScale
	doBias
	doRes
	doReLU
)

// The loops that a tile may run.
const (
	rowsByPanel = iota // rows of A × one panel
	wideF32            // one row of A × four panels, which count as rows
	wideF16
	wideBF16
)

// tile is one call of a micro-kernel: rows × cols of C, one block of k.
// Assembly reads it by offset.
type tile struct {
	a         unsafe.Pointer // *float32, rows × k
	lda       uintptr        // bytes
	b         unsafe.Pointer // *float32, k × nr
	bstep     uintptr        // bytes from panel to panel
	k         int            // at least 1
	rows      int
	cols      int
	kind      int
	flags     int
	acc       unsafe.Pointer // *float32, rows × nr
	c         unsafe.Pointer // *float32
	ldc       uintptr        // bytes
	bias      unsafe.Pointer // *float32
	biasStep  uintptr        // bytes from row to row
	res       unsafe.Pointer // *float32
	ldr       uintptr        // bytes
	ahead     unsafe.Pointer // fetched into L2 meanwhile, a line for every two steps
	aheadStep uintptr        // bytes
	chain     int            // steps that are summed in one go
	left      int            // used by the assembly
	scale     float32
}

// floats views n floats at p.
func floats(p unsafe.Pointer, n int) []float32 { return unsafe.Slice((*float32)(p), n) }

// dots is one call of a kernel that multiplies rows of a matrix with vectors:
// out[q][row] = x[q] · t[row].
type dots struct {
	t      unsafe.Pointer // groups of four rows
	ldt    uintptr        // bytes
	groups int
	x      unsafe.Pointer // *float32
	ldx    uintptr        // bytes
	k      int
	out    unsafe.Pointer // *float32
	ldo    uintptr        // bytes
}
