package cuda

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCodeIsOfTheseSources compares what build.sh wrote down with the files: the
// embedded code is that of the sources beside it, and all of it.
func TestCodeIsOfTheseSources(t *testing.T) {
	list, err := os.ReadFile("code/sha256")
	require.NoError(t, err)
	listed := map[string]bool{}
	for line := range bytes.Lines(list) {
		sum, name, ok := strings.Cut(strings.TrimSpace(string(line)), "  ")
		require.True(t, ok, "%q", line)
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256(data)), "%s has changed since the kernels were compiled: make cuda-kernels", name)
		listed[name] = true
	}
	for _, pattern := range []string{"src/*.cu", "src/*.h", "code/*.fatbin"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			require.True(t, listed[f], "%s isn't among what was compiled: make cuda-kernels", f)
		}
	}
}
