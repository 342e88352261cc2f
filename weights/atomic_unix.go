//go:build !windows

package weights

import (
	"io"

	"github.com/google/renameio/v2"
)

// writeAtomic lets fill write a file that replaces path only when all went well.
func writeAtomic(path string, fill func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := fill(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
