package weights

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// resident returns the process's file-backed resident bytes.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var total, rss, shared int
	_, err = fmt.Sscan(string(text), &total, &rss, &shared)
	require.NoError(t, err)
	return shared * os.Getpagesize()
}

// TestReleaseFreesPages reads a 64 MiB tensor and gives its pages back.
func TestReleaseFreesPages(t *testing.T) {
	const size = 64 << 20
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, Write(path, []Info{{Name: "w", DType: U8, Shape: []int{size}, Data: make([]byte, size)}}, nil))
	w := get(t, open(t, path), "w")
	before := resident(t)
	sum := 0
	for i := 0; i < len(w.Data); i += 512 {
		sum += int(w.Data[i])
	}
	require.Zero(t, sum)
	touched := resident(t)
	require.Greater(t, touched-before, size/2, "reading makes pages resident")
	w.Release()
	require.Greater(t, touched-resident(t), size/2, "Release frees them")
}
