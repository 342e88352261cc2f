package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Fingerprint returns a SHA-256 over every tensor of the sources: names, types,
// shapes and bytes. Checkpoints that hold the same tensors in other files, in
// shards or in another order have the same one. It reads everything once, and
// leaves no pages resident.
//
// Errors: those of reading; a file cut short meanwhile.
func Fingerprint(sources ...Source) (string, error) {
	h := sha256.New()
	for _, src := range sources {
		for _, name := range src.Names() {
			t, err := src.Get(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%q %v %v\n", t.Name, t.DType, t.Shape)
			if err := Guard(func() error { _, err := h.Write(t.Data); return err }); err != nil {
				return "", err
			}
			t.Release()
		}
		if _, err := io.WriteString(h, "end\n"); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
