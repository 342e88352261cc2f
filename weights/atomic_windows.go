package weights

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeAtomic lets fill write a file that replaces path only when all went well.
// renameio does not support Windows, where a rename is not atomic in the strict
// sense; a reader still never sees a half-written file.
func writeAtomic(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".weights-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(fill(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
