package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"syntic/models/caption"
	"syntic/models/vision"
	"syntic/tools/world"
)

func pictureEnding(path string) bool {
	return slices.Contains(vision.Endings(), strings.ToLower(filepath.Ext(path)))
}

// annotate writes a picture with its boxes and caption to a file, or into a
// folder under the picture's own name.
func annotate(path, name string, p *vision.Picture, r *caption.Result) error {
	var found []vision.Found
	for _, t := range r.Tags {
		b := t.Box
		found = append(found, vision.Found{
			X0: float64(b[0]), Y0: float64(b[1]), X1: float64(b[2]), Y1: float64(b[3]), Label: t.Name, Score: float64(t.Score),
		})
	}
	drawn, err := p.Annotate(found, r.Caption)
	if err != nil {
		return err
	}
	if !pictureEnding(path) {
		if err := os.MkdirAll(path, 0o777); err != nil {
			return err
		}
	}
	return savePicture(annotated(path, name), drawn, "")
}

// annotated returns the file that a picture's annotated copy goes to.
func annotated(path, name string) string {
	if pictureEnding(path) {
		return path
	}
	base := filepath.Base(strings.TrimPrefix(name, world.SamplePrefix))
	if name == "-" {
		base = "stdin"
	}
	return filepath.Join(path, strings.TrimSuffix(base, filepath.Ext(base))+".png")
}

// checkAnnotate refuses to draw two pictures into one file, or one over itself.
func checkAnnotate(path string, names []string) error {
	if path == "" {
		return nil
	}
	if len(names) > 1 && pictureEnding(path) {
		return usagef("--annotate %s: %d pictures need a folder", path, len(names))
	}
	from := map[string]string{}
	for _, n := range names {
		to := annotated(path, n)
		if other, taken := from[to]; taken {
			return usagef("--annotate %s: both %s and %s would be drawn into %s", path, other, n, to)
		}
		from[to] = n
		src, err := os.Stat(n)
		if err != nil {
			continue // not a file, or none that could be overwritten
		}
		if dst, err := os.Stat(to); err == nil && os.SameFile(src, dst) {
			return usagef("--annotate %s: would overwrite the picture %s itself", path, n)
		}
	}
	return nil
}

// savePicture writes a picture in the form of its ending, described by about,
// whole or not at all.
func savePicture(path string, p *vision.Picture, about string) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o666))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after CloseAtomicallyReplace there is nothing left to clean
	if err := p.Encode(f, path, about); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
