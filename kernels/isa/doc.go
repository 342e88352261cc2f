// Package isa tells which instruction sets the kernels may use on this
// machine, how large its caches are, and how many cores the process is allowed.
//
// It decides nothing about kernels: it only reports, and honours the
// environment variable SYNTIC_ISA. Any package may import it; it imports
// nothing of ours. It is the only package that reads CPUID.
package isa
