package cpu

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/gemm"
	"syntic/kernels/isa"
	"syntic/tensor/devtest"
	"syntic/tensor/graph"
)

// each runs f for every instruction set of this machine. REQUIRE_ISA names one
// that must be among them.
func each(t *testing.T, f func(t *testing.T, isa string)) {
	if name := os.Getenv("REQUIRE_ISA"); name != "" {
		_, err := kernels.Select(name)
		require.NoError(t, err)
	}
	for _, l := range isa.All() {
		t.Run(l.String(), func(t *testing.T) { f(t, l.String()) })
	}
}

func open(o Options) func(threads int) (graph.Device, error) {
	return func(threads int) (graph.Device, error) {
		o.Threads = threads
		return New(o)
	}
}

func TestCompliance(t *testing.T) {
	each(t, func(t *testing.T, isa string) { devtest.Suite{Open: open(Options{ISA: isa})}.Run(t) })
}

// TestHalfStorage allows the rounding of the weights: 2⁻¹¹ and 2⁻⁸ of each.
func TestHalfStorage(t *testing.T) {
	for name, o := range map[string]struct {
		storage gemm.DType
		slack   float64
	}{"f16": {gemm.F16, 500}, "bf16": {gemm.BF16, 4000}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, isa string) {
				devtest.Suite{Open: open(Options{ISA: isa, Storage: o.storage}), Slack: o.slack, Only: regexp.MustCompile("^(Linear|Fusion)")}.Run(t)
			})
		})
	}
}

// TestBF16 allows the rounding of both operands of a product to 8 bits, at every
// layer of a program.
func TestBF16(t *testing.T) {
	if len(isa.BF16()) == 0 {
		t.Skip("NOT CHECKED: this CPU or system has no products of bfloat16")
	}
	devtest.Suite{Open: open(Options{Precision: BF16}), Slack: 5000}.Run(t)
}

// TestInt8 allows the rounding of both operands to bytes.
func TestInt8(t *testing.T) {
	if len(isa.Int8()) == 0 {
		t.Skip("NOT CHECKED: this CPU has no products of int8")
	}
	devtest.Suite{Open: open(Options{Precision: Int8}), Slack: 10000}.Run(t)
}

// TestNarrowNeeds: a device isn't opened with products that its kernels lack.
func TestNarrowNeeds(t *testing.T) {
	_, err := New(Options{ISA: "portable", Precision: BF16})
	require.ErrorContains(t, err, "AVX512_BF16")
	_, err = New(Options{ISA: "portable", Precision: Int8})
	require.ErrorContains(t, err, "AVX512_VNNI")
}

// TestWinograd lets convolutions choose an algorithm with a larger error.
func TestWinograd(t *testing.T) {
	each(t, func(t *testing.T, isa string) {
		devtest.Suite{Open: open(Options{ISA: isa, Winograd: WinogradF4}), Slack: 8, Only: regexp.MustCompile("^Conv2D")}.Run(t)
	})
}

func TestUnknownInstructionSet(t *testing.T) {
	_, err := New(Options{ISA: "mmx"})
	require.ErrorContains(t, err, "mmx")
}

func BenchmarkDevice(b *testing.B) {
	for _, l := range isa.All() {
		b.Run(l.String(), devtest.Suite{Open: open(Options{ISA: l.String()})}.Benchmark)
	}
}
