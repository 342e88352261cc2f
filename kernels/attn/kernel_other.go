//go:build !amd64

package attn

import "syntic/kernels/isa"

// For returns the kernel of this instruction set; the portable one where there
// is no faster.
func For(isa.Level) *Kernel { return &portable }
