package plots

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	c := []Curve{{"CIDEr", []float64{1, 2, 3}, []float64{0.1, math.NaN(), 0.4}}, {"none", []float64{1}, []float64{math.Inf(1)}}}
	for _, name := range []string{"a.png", "a.svg"} {
		require.NoError(t, Curves(filepath.Join(dir, name), "t", "epoch", "score", c))
	}
	raw, err := os.ReadFile(filepath.Join(dir, "a.png"))
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(raw))
	require.NoError(t, err)
	require.Greater(t, img.Bounds().Dx(), 400)
	raw, err = os.ReadFile(filepath.Join(dir, "a.svg"))
	require.NoError(t, err)
	require.Contains(t, string(raw), "CIDEr")
	require.ErrorContains(t, Curves(filepath.Join(dir, "a.gif"), "", "", "", c), "name a .png or .svg file")
	require.ErrorContains(t, Curves(filepath.Join(dir, "b.png"), "", "", "", c[1:]), "no curve holds a number")
	require.ErrorContains(t, Curves(filepath.Join(dir, "b.png"), "", "", "", []Curve{{"x", []float64{1}, nil}}), "1 steps and 0 values")
	require.NoFileExists(t, filepath.Join(dir, "b.png"))
	require.Error(t, Curves(filepath.Join(dir, "no", "b.png"), "", "", "", c))
}

func TestComparison(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.svg")
	s := []System{{"A", []Bar{{0.1, 0.05, 0.15}, {0.4, 0, 0}}}, {"B", []Bar{{math.NaN(), 0, 0}, {0.5, 0.4, 0.6}}}}
	require.NoError(t, Comparison(path, "t", []string{"METEOR", "CIDEr"}, s))
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(raw), "METEOR")
	require.ErrorContains(t, Comparison(path, "t", []string{"METEOR"}, s), "2 values for 1 metrics")
	require.ErrorContains(t, Comparison(path, "t", nil, s), "nothing to compare")
}
