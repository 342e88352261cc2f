package isa

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevelsParseAndSelect(t *testing.T) {
	for _, l := range []Level{Portable, AVX2, AVX512} {
		got, err := Parse(l.String())
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
	_, err := Parse("mmx")
	require.ErrorContains(t, err, "portable, avx2, avx512")
	all := All()
	require.Equal(t, Portable, all[0])
	for _, l := range all {
		got, err := Select(l.String())
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
	best, err := Select("")
	require.NoError(t, err)
	require.Equal(t, all[len(all)-1], best)
}

func TestEnvironmentOverride(t *testing.T) {
	t.Setenv("SYNTIC_ISA", "portable")
	l, err := Best()
	require.NoError(t, err)
	require.Equal(t, Portable, l)
	t.Setenv("SYNTIC_ISA", "nonsense")
	_, err = Best()
	require.ErrorContains(t, err, "nonsense")
}

// A machine that must cover an instruction set fails here when it can't, so
// that a subtest skipped for want of hardware is never mistaken for a pass.
func TestRequiredLevel(t *testing.T) {
	name := os.Getenv("REQUIRE_ISA")
	if name == "" {
		t.Skip("REQUIRE_ISA is not set: whether this machine covers a given instruction set is not checked")
	}
	_, err := Select(name)
	require.NoError(t, err)
}

// What BF16 and Int8 list can be run, and comes with the level AVX512.
func TestProducts(t *testing.T) {
	for name, list := range map[string]func() []Products{"bfloat16": BF16, "int8": Int8} {
		t.Run(name, func(t *testing.T) {
			ps := list()
			if len(ps) == 0 {
				t.Skipf("NOT CHECKED: this CPU or system has no products of %s", name)
			}
			require.True(t, Supported(AVX512))
			require.NotContains(t, ps, NoProducts)
			require.Equal(t, ps, list(), "asked twice")
			require.IsIncreasing(t, ps)
		})
	}
}

func TestMachineFacts(t *testing.T) {
	require.NotEmpty(t, Name())
	require.Positive(t, Cores())
	c := Caches()
	require.GreaterOrEqual(t, c.L1D, 0)
}
