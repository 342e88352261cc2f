package world

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"syntic/weights"
)

//go:embed bundle samples/*.png
var files embed.FS

// Notice is what a command says once when it falls back on the scale model.
const Notice = "using the built-in scale model, trained on an emoji world; for photographs give --model DIR"

// Guidance is the guidance at which the scale model draws best.
// Source: world/MODELS.md, CLIP cosines of pictures and prompts.
const Guidance = 5

// Model returns the scale model's folder.
func Model() weights.Dir { return weights.EmbeddedDir(files, "bundle") }

// SamplePrefix marks a sample picture's name on the command line.
const SamplePrefix = "sample:"

// Samples lists the sample pictures, each with SamplePrefix.
func Samples() []string {
	found, err := fs.Glob(files, "samples/*.png")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = SamplePrefix + strings.TrimSuffix(path.Base(f), ".png")
	}
	return names
}

// OpenSample returns a sample picture's file by its name with SamplePrefix.
func OpenSample(name string) (io.ReadCloser, error) {
	b, err := files.ReadFile("samples/" + strings.TrimPrefix(name, SamplePrefix) + ".png")
	if err != nil {
		return nil, fmt.Errorf("%s: no such sample; there are %s", name, strings.Join(Samples(), ", "))
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
