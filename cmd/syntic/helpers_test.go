package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
	"syntic/tools/world"
)

// done is what a command line led to.
type done struct {
	code     int
	out, err string
}

// lines returns the lines of standard output.
func (d done) lines() []string {
	return strings.Split(strings.TrimSuffix(d.out, "\n"), "\n")
}

// command runs a command line in this process.
func command(t *testing.T, args ...string) done {
	t.Helper()
	return commandWith(t, t.Context(), &app{}, args...)
}

// commandWith is command with its own context, input or terminal.
func commandWith(t *testing.T, ctx context.Context, a *app, args ...string) done {
	t.Helper()
	var out, messages bytes.Buffer
	if a.in == nil {
		a.in = strings.NewReader("")
	}
	if a.out == nil {
		a.out = &out
	}
	if a.patience == 0 {
		a.patience = time.Minute
	}
	if a.memory == nil {
		a.memory = availableMemory
	}
	a.err = &messages
	code := a.run(ctx, args)
	return done{code, out.String(), messages.String()}
}

// good runs a command line that must succeed and returns what it printed.
func good(t *testing.T, args ...string) string {
	t.Helper()
	d := command(t, args...)
	require.Equal(t, 0, d.code, "%v: %s", args, d.err)
	return d.out
}

// The captions of two of the samples.
const (
	stopSign = "a stop sign standing next to a purple truck on the street"
	sheep    = "sample:sheep"
)

// sampleFile returns a sample's bytes.
func sampleFile(t *testing.T, name string) []byte {
	t.Helper()
	f, err := world.OpenSample(world.SamplePrefix + name)
	require.NoError(t, err)
	defer f.Close()
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	return data
}

// sampleImage returns a sample's pixels.
func sampleImage(t *testing.T, name string) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(sampleFile(t, name)))
	require.NoError(t, err)
	return img
}

// put writes a file into dir, making folders, and returns its path.
func put(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, data, 0o666))
	return path
}

// captionOf returns the caption of one file.
func captionOf(t *testing.T, path string, more ...string) string {
	t.Helper()
	return strings.TrimSuffix(good(t, append([]string{"caption", "--quiet", path}, more...)...), "\n")
}

// bundle is the scale model's folder.
var bundle = filepath.Join("..", "..", "tools", "world", "bundle")

// copyBundle copies the scale model's folder, so that a test may change it.
func copyBundle(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(bundle)))
	return dir
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

// isPicture checks that a file is a whole picture of this size.
func isPicture(t *testing.T, path string, atLeastW, atLeastH int) {
	t.Helper()
	p, _, err := vision.DecodeFile(path, vision.Limits{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, p.W, atLeastW)
	require.GreaterOrEqual(t, p.H, atLeastH)
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
