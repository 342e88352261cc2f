//go:build cuda && linux

package cuda

import (
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
)

// broken launches a kernel of emu/broken.cu on 256 numbers and returns them.
func broken(t *testing.T, kernel string, args ...int) ([]float32, error) {
	d := device(t, Options{})
	leave, err := d.enter()
	defer leave()
	require.NoError(t, err)
	sources()[kernel] = "elem" // the emulation has every kernel in every module
	f, err := d.kernel(kernel, 0)
	require.NoError(t, err)
	y, err := d.alloc(4 * 256)
	require.NoError(t, err)
	defer cu.MemFree(y)
	var l cux.List
	l.Kernel(kernel, f, cux.Grid{X: 1, Threads: threads}, new(cux.Args).Ptr(y).Int(args...))
	r, err := cux.NewReplay(d.ctx, d.stream, l, false, false)
	require.NoError(t, err)
	if err := r.Run(); err != nil {
		return nil, d.fault(err)
	}
	v := make([]float32, 256)
	return v, cu.MemcpyDtoH(unsafe.Pointer(&v[0]), y, 4*256)
}

// TestBrokenKernelsAreFound shows what the emulation, and so the suite above it,
// can see.
func TestBrokenKernelsAreFound(t *testing.T) {
	v, err := broken(t, "broken_next")
	require.NoError(t, err)
	require.NotEqual(t, float32(8), v[7], "a missing barrier shows as a wrong result")
	v, err = broken(t, "broken_before")
	require.NoError(t, err)
	require.Equal(t, float32(6), v[7], "one order of threads hides it")
	t.Setenv("CUDA_EMU_REVERSE", "1")
	v, err = broken(t, "broken_before")
	require.NoError(t, err)
	require.NotEqual(t, float32(6), v[7], "the other doesn't")
	_, err = broken(t, "broken_barrier")
	require.ErrorContains(t, err, "CUDA_ERROR_LAUNCH_FAILED")
	v, err = broken(t, "broken_unwritten")
	require.NoError(t, err)
	require.Equal(t, float32(1), v[1])
	require.True(t, math.IsNaN(float64(v[0])), "unwritten shared memory is NaN")
}

// TestBounds runs in a process of its own, which AddressSanitizer must end.
func TestBounds(t *testing.T) {
	if !strings.Contains(os.Getenv("CUDA_EMU_FLAGS"), "-fsanitize=address") {
		t.Skip("only AddressSanitizer sees bounds: make cuda-asan")
	}
	if os.Getenv("CUDA_BREAK_BOUNDS") != "" {
		_, err := broken(t, "broken_bounds", 200)
		t.Log("went on after writing out of bounds:", err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBounds$", "-test.v")
	cmd.Env = append(os.Environ(), "CUDA_BREAK_BOUNDS=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Contains(t, string(out), "heap-buffer-overflow")
	require.Contains(t, string(out), "broken.cu")
}
