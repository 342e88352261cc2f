package attn

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The committed assembly is what the generator writes.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "../_gen/attn", dir)
	cmd.Env = append(os.Environ(), "GOARCH=", "GOOS=") // the generator runs here, whatever is tested
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	here, err := filepath.Glob("*.s")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.Len(t, here, len(files))
	for _, f := range files {
		want, err := os.ReadFile(f)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Base(f))
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "%s differs: run go generate ./kernels/attn", filepath.Base(f))
	}
}
