package weights

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared returns a path in the shared reference material, or skips the test.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(dir)
			require.NotEqual(t, up, dir, "no go.mod above the test")
			dir = up
		}
		root = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED: %v", err)
	}
	return path
}

// image returns a safetensors image with the given header and data.
func image(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func f32Bytes(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func f32Of(t testing.TB, info Info) []float32 {
	t.Helper()
	c, err := Convert(info, F32)
	require.NoError(t, err)
	out := make([]float32, len(c.Data)/4)
	for i := range out {
		out[i] = math.Float32frombits(le.Uint32(c.Data[4*i:]))
	}
	return out
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

func open(t testing.TB, path string) Source {
	t.Helper()
	src, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return src
}

func get(t testing.TB, src Source, name string) Info {
	t.Helper()
	info, err := src.Get(name)
	require.NoError(t, err)
	return info
}

// requireSame compares two sources tensor by tensor, bit by bit.
func requireSame(t testing.TB, want, got Source) {
	t.Helper()
	require.Equal(t, want.Names(), got.Names())
	for _, n := range want.Names() {
		a, b := get(t, want, n), get(t, got, n)
		require.Equal(t, a.Name, b.Name)
		require.Equal(t, a.DType, b.DType, n)
		require.Equal(t, a.Shape, b.Shape, n)
		require.Equal(t, a.Data, b.Data, n)
	}
}

// requireFormatError asserts a *FormatError that names the path and says reason.
func requireFormatError(t testing.TB, err error, path, reason string) {
	t.Helper()
	var f *FormatError
	require.ErrorAs(t, err, &f)
	require.Equal(t, path, f.Path)
	require.ErrorContains(t, err, reason)
}
