package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
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

// Name puts the folder before an error that doesn't name it or a file in it.
func (d Dir) Name(err error) error {
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

// Glob returns the names of the folder's files that match a pattern.
func (d Dir) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(d.fsys, path.Join(d.base, pattern))
	for i, f := range found {
		found[i] = path.Base(f)
	}
	return found, err
}

// Weights opens the folder's checkpoint, or one file of it, under the canonical
// names of the model family whichever naming it uses.
func (d Dir) Weights(file, family string) (Source, error) {
	src, err := d.Source(file)
	if err != nil {
		return nil, err
	}
	return Canonical(src, family), nil
}

// Source opens the folder's checkpoint, or one file of it, as it is named there.
func (d Dir) Source(file string) (Source, error) {
	if d.path != "" {
		return Open(filepath.Join(d.path, file))
	}
	for _, name := range candidates {
		if file == "" && d.Has(name) {
			file = name
		}
	}
	b, err := d.Read(file)
	if err != nil {
		return nil, err
	}
	return FromBytes(d.String()+"/"+file, b)
}

// FS returns the folder as a file system.
func (d Dir) FS() (fs.FS, error) { return fs.Sub(d.fsys, d.base) }

// Check says why a model's folder on disk can't be read; nil for one that can.
// holds names what would be in it.
func (d Dir) Check(holds string) error {
	if d.path == "" {
		return nil
	}
	switch info, err := os.Stat(d.path); {
	case err != nil:
		return fmt.Errorf("the model directory can't be used: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file; a model is a directory with %s", d, holds)
	}
	return nil
}
