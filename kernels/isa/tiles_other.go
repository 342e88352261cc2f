//go:build !linux || !amd64

package isa

// allowTiles: other systems aren't asked.
func allowTiles() bool { return false }
