// Package elem holds the element-wise kernels: activations, arithmetic, fixed
// order reductions, half-precision conversion, and the moves (gather,
// transpose, permute, upsample, strided copies).
//
// The methods of Kernel are single-threaded functions over slices; Split and
// Unary spread such functions over a pool. Matrix products, normalisation and
// attention live in other packages. Every kernel package above par may import
// it.
//
// Greatest error of the vector kernels over all float32, in units in the last
// place: exp 0.84, log 0.87, sigmoid 2.1, tanh 2.5, silu 2.8, quick_gelu 2.6,
// gelu 5.1 (at -6, where it is 1e-9 of x; the usual 0.5x(1+erf) has no digit
// left there), gelu_new 180 (at -10, likewise). Portable ones round once.
//
// The assembly is written by kernels/_gen/elem.
package elem
