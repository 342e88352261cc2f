package caption

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"syntic/models/token"
	"syntic/models/vision"
	"syntic/weights"
)

// Dir is a folder of model files, on disk or embedded in the program.
type Dir struct {
	path string // on disk; "" when embedded
	fsys fs.FS
	base string // inside fsys
}

// DiskDir returns the folder at a path.
func DiskDir(p string) Dir { return Dir{path: p, fsys: os.DirFS(p), base: "."} }

// EmbeddedDir returns a folder of files that are part of the program.
func EmbeddedDir(fsys fs.FS, base string) Dir { return Dir{fsys: fsys, base: base} }

// Sub returns a folder inside d.
func (d Dir) Sub(name string) Dir {
	if d.path != "" {
		return DiskDir(filepath.Join(d.path, name))
	}
	return Dir{fsys: d.fsys, base: path.Join(d.base, name)}
}

// String returns the path for messages.
func (d Dir) String() string {
	if d.path != "" {
		return d.path
	}
	return "embedded " + d.base
}

// name puts the folder before an error that doesn't name it or a file in it.
func (d Dir) name(err error) error {
	if strings.Contains(err.Error(), d.String()) {
		return err
	}
	return fmt.Errorf("%s: %w", d, err)
}

// Has reports whether the folder holds a file.
func (d Dir) Has(name string) bool {
	_, err := fs.Stat(d.fsys, path.Join(d.base, name))
	return err == nil
}

// Read returns a file's content.
func (d Dir) Read(name string) ([]byte, error) {
	b, err := fs.ReadFile(d.fsys, path.Join(d.base, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %s is missing", d, name)
	}
	return b, err
}

// glob returns the names of the folder's files that match a pattern.
func (d Dir) glob(pattern string) ([]string, error) {
	found, err := fs.Glob(d.fsys, path.Join(d.base, pattern))
	for i, f := range found {
		found[i] = path.Base(f)
	}
	return found, err
}

// part returns the folder of one model: name inside d, or d itself where it
// holds that model alone.
func (d Dir) part(name string) (Dir, error) {
	if d.path != "" {
		switch info, err := os.Stat(d.path); {
		case err != nil:
			return Dir{}, fmt.Errorf("the model directory can't be used: %w", err)
		case !info.IsDir():
			return Dir{}, fmt.Errorf("%s is a file; a model is a directory with clip/, detr/ and captioner/", d)
		}
	}
	for _, p := range []Dir{d.Sub(name), d} {
		if p.Has("config.json") {
			return p, nil
		}
	}
	return Dir{}, fmt.Errorf("%s: neither %s/config.json nor config.json is there; a model directory holds clip/, detr/ and captioner/ in Hugging Face's layout", d, name)
}

// Weights opens the folder's checkpoint, or one file of it, under the canonical
// names of the model family whichever naming it uses.
func (d Dir) Weights(file, family string) (weights.Source, error) {
	src, err := d.source(file)
	if err != nil {
		return nil, err
	}
	return weights.Canonical(src, family), nil
}

func (d Dir) source(file string) (weights.Source, error) {
	if d.path != "" {
		return weights.Open(filepath.Join(d.path, file))
	}
	if file == "" {
		file = "model.safetensors"
	}
	b, err := d.Read(file)
	if err != nil {
		return nil, err
	}
	return weights.FromBytes(d.String()+"/"+file, b)
}

// Tokenizer loads the folder's tokenizer.
func (d Dir) Tokenizer() (*token.Tokenizer, error) {
	opts := token.Options{Clean: token.HF}
	if d.path != "" {
		return token.Load(d.path, opts)
	}
	vocab, err := d.fsys.Open(path.Join(d.base, "vocab.json"))
	if err != nil {
		return nil, err
	}
	defer vocab.Close()
	merges, err := d.fsys.Open(path.Join(d.base, "merges.txt"))
	if err != nil {
		return nil, err
	}
	defer merges.Close()
	return token.New(vocab, merges, opts)
}

// Preprocessor reads the folder's preprocessor_config.json; base stands where
// there is none.
func (d Dir) Preprocessor(base vision.Config) (vision.Config, error) {
	const name = "preprocessor_config.json"
	if !d.Has(name) {
		return base, nil
	}
	f, err := d.fsys.Open(path.Join(d.base, name))
	if err != nil {
		return vision.Config{}, err
	}
	defer f.Close()
	c, err := vision.ParseConfig(f, base)
	if err != nil {
		return vision.Config{}, fmt.Errorf("%s: %w", d, err)
	}
	return c, nil
}
