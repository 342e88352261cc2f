//go:build !amd64

package elem

import "syntic/kernels/isa"

// For returns the functions for a level that this machine supports.
func For(isa.Level) *Kernel { return portable() }
