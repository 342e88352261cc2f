package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
)

// --precision is checked before anything is loaded, and captions in bfloat16 and
// int8 are those of float32 for pictures whose words are no near-ties.
func TestPrecision(t *testing.T) {
	d := command(t, "caption", "--quiet", "--precision", "f64", "sample:sheep")
	require.Equal(t, 2, d.code)
	require.Contains(t, d.err, "--precision f64")
	for name, p := range map[string]struct {
		have  []isa.Products
		takes string
	}{"bf16": {isa.BF16(), "AVX512_BF16"}, "int8": {isa.Int8(), "AVX512_VNNI"}} {
		t.Run(name, func(t *testing.T) {
			d := command(t, "caption", "--quiet", "--precision", name, "--isa", "portable", "sample:sheep")
			require.Equal(t, 2, d.code)
			require.Contains(t, d.err, p.takes)
			if len(p.have) == 0 {
				require.Contains(t, good(t, "doctor"), name+" takes")
				t.Skipf("NOT CHECKED: captions in %s: this CPU or system has no products of it", name)
			}
			require.Contains(t, good(t, "doctor"), name+" with")
			require.Equal(t, captionOf(t, "sample:stop-sign"), captionOf(t, "sample:stop-sign", "--precision", name))
		})
	}
}

func TestOrdinal(t *testing.T) {
	for device, want := range map[string]int{"cuda": 0, "cuda:0": 0, "cuda:3": 3} {
		n, ok := ordinal(device)
		require.True(t, ok, device)
		require.Equal(t, want, n, device)
	}
	for _, device := range []string{"", "gpu", "cuda:", "cuda0", "cuda:-1", "cuda:x", "cuda:1:2", "CUDA"} {
		_, ok := ordinal(device)
		require.False(t, ok, device)
	}
}
