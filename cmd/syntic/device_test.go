package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

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
