// Package elem holds the element-wise kernels: activations, arithmetic, fixed
// order reductions, half-precision conversion, and the moves (gather,
// transpose, permute, upsample, strided copies).
//
// The methods of Kernel are single-threaded functions over slices; Split and
// Unary spread such functions over a pool. Matrix products, normalisation and
// attention live in other packages. Every kernel package above par may import
// it.
//
// The assembly is written by kernels/_gen/elem.
package elem
