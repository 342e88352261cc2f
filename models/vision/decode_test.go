package vision

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/weights"
)

// TestDecodeAsPillow decodes files that Pillow wrote and compares with what
// Pillow reads back, see testdata/README.md.
func TestDecodeAsPillow(t *testing.T) {
	src, err := weights.Open("testdata/expected.safetensors")
	require.NoError(t, err)
	defer src.Close()
	require.Greater(t, len(src.Names()), 40)
	for _, name := range src.Names() {
		t.Run(name, func(t *testing.T) {
			want, err := src.Get(name)
			require.NoError(t, err)
			p, format, err := DecodeFile(filepath.Join("testdata", name), Limits{})
			require.NoError(t, err)
			require.Equal(t, want.Shape, []int{p.H, p.W, 3})
			wantFormat := map[string]string{".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".webp": "WebP", ".bmp": "BMP", ".tif": "TIFF"}
			require.Equal(t, wantFormat[filepath.Ext(name)], format)
			worst, differ, _ := difference(p, &Picture{W: p.W, H: p.H, Pix: want.Data})
			require.Zero(t, worst, "%.1f %% of the samples differ", 100*differ)
		})
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}
