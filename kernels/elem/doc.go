// Package elem holds the element-wise kernels: activations, arithmetic, fixed
// order reductions, half-precision conversion, the moves (gather, transpose,
// permute, upsample, strided copies), and a diffusion solver's step.
//
// The methods of Kernel are single-threaded functions over slices; Split and
// Unary spread such functions over a pool. Matrix products, normalisation and
// attention live in other packages. Every kernel package above par may import
// it.
//
// Greatest error of the vector kernels, in units in the last place over one
// float32 in 67: exp 0.85, log 0.89, sigmoid 2.3, tanh 2.5, silu 3.0,
// quick_gelu 3.1, gelu 6.0 (at -12.6; the usual 0.5x(1+erf) has no digit left
// there), gelu_new 190 (at -10, where it is 1e-22 of x). The portable ones
// compute in float64 and round once.
//
// The assembly is written by kernels/_gen/elem.
package elem
