package kernels

import (
	"syntic/kernels/attn"
	"syntic/kernels/conv"
	"syntic/kernels/elem"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/kernels/narrow"
	"syntic/kernels/norm"
)

// Table is every kernel family for one instruction set.
type Table struct {
	ISA  isa.Level
	Elem *elem.Kernel
	Norm *norm.Kernel
	Gemm *gemm.Kernel
	Conv *conv.Kernel
	Attn *attn.Kernel
	BF16 *narrow.Kernel // products of bfloat16; nil where the level or the machine has none
	Int8 *narrow.Kernel // of int8; likewise
}

// For returns the table of a level that this machine supports.
func For(l isa.Level) Table {
	t := Table{ISA: l, Elem: elem.For(l), Norm: norm.For(l), Gemm: gemm.For(l), Conv: conv.For(l), Attn: attn.For(l)}
	if l == isa.AVX512 {
		t.BF16, t.Int8 = narrow.Best(isa.BF16()), narrow.Best(isa.Int8())
	}
	return t
}

// All returns the tables of the levels that this machine supports, slowest
// first, for tests and comparisons.
func All() []Table {
	var ts []Table
	for _, l := range isa.All() {
		ts = append(ts, For(l))
	}
	return ts
}

// Best returns the table named by the environment variable SYNTIC_ISA, or the
// fastest one when it is unset. Errors: a name that is unknown or can't run.
func Best() (Table, error) { return withLevel(isa.Best()) }

// Select returns the table of the instruction set with this name, the fastest
// one for "". Errors: a name that is unknown or can't run here.
func Select(name string) (Table, error) { return withLevel(isa.Select(name)) }

func withLevel(l isa.Level, err error) (Table, error) {
	if err != nil {
		return Table{}, err
	}
	return For(l), nil
}
