package caption

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/weights"
)

var bg = context.Background()

// bundle is the scale model's folder, which is part of the repository.
var bundle = filepath.Join("..", "..", "tools", "world", "bundle")

// openModel loads a model directory on a new device.
func openModel(t *testing.T, dir string, o cpu.Options) *Model {
	t.Helper()
	d, err := cpu.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	m, err := Load(bg, d, weights.DiskDir(dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// sample returns one of the repository's sample pictures.
func sample(t *testing.T, name string) *vision.Picture {
	t.Helper()
	p, _, err := vision.DecodeFile(filepath.Join("..", "..", "tools", "world", "samples", name+".png"), vision.Limits{})
	require.NoError(t, err)
	return p
}

// unitRows returns n rows of d values, pseudo-random and of unit length.
func unitRows(n, d int) []float32 {
	v := make([]float32, n*d)
	for i := range v {
		v[i] = float32(math.Sin(float64(i)*12.9898) * math.Cos(float64(i)*0.7311))
	}
	Normalize(v, d)
	return v
}

// numbered returns a corpus of n texts.
func numbered(n int) *Corpus {
	c := NewCorpus(nil)
	for range n {
		c.Add("text " + string(rune('a'+c.Len()%26)))
	}
	return c
}

// makeMemory writes a memory of n random rows and returns its path.
func makeMemory(t *testing.T, n, d int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "memory.safetensors")
	require.NoError(t, ImportMemory(path, unitRows(n, d), d, numbered(n), weights.F32))
	return path
}

// caption1 captions one picture.
func caption1(t *testing.T, m *Model, p *vision.Picture, o Options) Result {
	t.Helper()
	r, err := m.Caption(bg, []*vision.Picture{p}, o)
	require.NoError(t, err)
	return r[0]
}

// write makes a file in a new folder.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	return path
}

// changeJSON rewrites a JSON object's file.
func changeJSON(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(data, &m))
	change(m)
	data, err = json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o666))
}
