package fullsize

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/caption"
	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/weights"
)

// The real photographs must pass through every part at its published size, and
// the same picture must give the same result alone and in company.
func TestPhotographsThroughFullSizeModels(t *testing.T) {
	shared := os.Getenv("SYNTIC_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	photos, err := filepath.Glob(filepath.Join(shared, "data", "photos", "*.jpg"))
	require.NoError(t, err)
	if len(photos) == 0 {
		require.Empty(t, os.Getenv("SYNTIC_REQUIRE_SHARED"), "the shared reference material is required and isn't at %s", shared)
		t.Skipf("no photographs at %s: that full-size models run on real pictures is NOT checked", shared)
	}
	if testing.Short() {
		photos = photos[:2]
	}
	dir := t.TempDir()
	require.NoError(t, Write(dir, Options{Seed: 1, DType: weights.F16, Tokenizer: filepath.Join(shared, "golden", "tokenizer"), Support: 1000}))
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer d.Close()
	ctx := context.Background()
	m, err := caption.Load(ctx, d, weights.DiskDir(dir))
	require.NoError(t, err)
	defer m.Close()
	var pictures []*vision.Picture
	for _, p := range photos {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		pic, _, err := vision.Decode(bytes.NewReader(data), vision.Limits{})
		require.NoError(t, err)
		pictures = append(pictures, pic)
	}
	o := caption.Options{Explain: 3, Threshold: 0.01, MaxTokens: 8}
	all, err := m.Caption(ctx, pictures, o)
	require.NoError(t, err)
	for i, r := range all {
		require.NotEmpty(t, r.Caption, photos[i])
		require.Len(t, r.Support, 3)
		require.NotEmpty(t, r.Tags)
	}
	alone, err := m.Caption(ctx, pictures[1:2], o)
	require.NoError(t, err)
	require.Equal(t, all[1], alone[0])
}
