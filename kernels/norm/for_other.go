//go:build !amd64

package norm

import (
	"syntic/kernels/elem"
	"syntic/kernels/isa"
)

// For returns the functions for a level that this machine supports.
func For(l isa.Level) *Kernel { return portable(elem.For(l)) }
