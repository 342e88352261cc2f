// Package gemm multiplies float32 matrices: C = act(scale·A·B + bias + residual).
//
// B is packed once into panels of a few columns (Weights), A is read as it
// lies, and the epilogue is applied to the tile of C while it is in registers.
// Op runs one planned product on a pool, Block one piece of it on the calling
// goroutine (convolution and attention tile over it), MatMul products of two
// activations, Rows products with a huge matrix that is not worth packing.
//
// The order of every sum is fixed. An element of C is, for each block of 256
// values of k, one chain of fused multiply-adds in ascending k that starts
// from 0; the blocks' sums are added in ascending order. So the bits of an
// element do not depend on M, N, its row, the tiling, the number of threads,
// and are the same for AVX2 and AVX-512 (before a transcendental activation).
// The portable kernels keep the order but round each product.
//
// It is not a BLAS: no transposed A, no float64, no alpha and beta. It knows
// no tensors. Convolution, attention and devices import it.
package gemm
