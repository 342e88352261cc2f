// Package kernels joins the kernel families into one Table for each
// instruction set: the only thing that engines need to know about the CPU.
//
// It holds no kernel itself. Devices import it; models don't.
package kernels

//go:generate go run ./_gen/elem .
