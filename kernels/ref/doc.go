// Package ref is the specification of every kernel: scalar Go with float64
// accumulation, written to be obviously right and never optimised.
//
// Fast kernels promise to equal these functions within a stated error and
// document nothing else about their result. Tests and the portable checks may
// import it; engines don't run it.
package ref
