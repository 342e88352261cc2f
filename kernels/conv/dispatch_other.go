//go:build !amd64

package conv

// assembly replaces the portable loops by the level's own.
func (k *Kernel) assembly() {}
