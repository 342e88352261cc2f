package conv

import (
	"syntic/kernels/elem"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
)

// Kernel is one instruction set's inner loops.
//
// Concurrency: immutable; any number of goroutines may use it.
type Kernel struct {
	level isa.Level
	gemm  *gemm.Kernel
	elem  *elem.Kernel

	copyRuns copyRunsFunc
	inputF2  inputFunc
	inputF4  inputFunc
	outputF2 outputFunc
	outputF4 outputFunc
	maxTaps  maxTapsFunc

	weightsF2, weightsF4 inputFunc

	costs costs

	bandTile           bandTileFunc // nil: no kernel, see bandShape
	bandRows, bandCols int          // outputs and channels of one call
}

// For returns the kernels of a level.
//
// Panics: if this machine can't run the level.
func For(l isa.Level) *Kernel {
	k := &Kernel{level: l, gemm: gemm.For(l), elem: elem.For(l), copyRuns: copyRuns,
		inputF2: inputF2, inputF4: inputF4, outputF2: outputF2, outputF4: outputF4, maxTaps: maxTaps,
		weightsF2: weightsF2, weightsF4: weightsF4, costs: costsAVX2}
	k.assembly()
	return k
}

// Level returns the instruction set.
func (k *Kernel) Level() isa.Level { return k.level }
