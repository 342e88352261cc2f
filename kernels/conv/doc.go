// Package conv computes 2-D convolutions and poolings of pictures stored
// [N,H,W,C] on the CPU, with bias, residual and activation fused into the last
// store and a normalisation with its activation fused into the first load.
//
// An Op is made once per shape; it chooses one of three algorithms:
//
//   - Direct: rows of receptive fields are copied into a block that stays in
//     cache and multiplied by gemm; 1x1 convolutions multiply x itself. Errors
//     are those of gemm.
//   - WinogradF2, WinogradF4: 3x3 kernels of stride 1 with 2.25 and 4 times
//     fewer multiplications, at the same and 3 times the rounding error.
//   - Depthwise: one input channel per output channel, no matrix product.
//
// Results depend on shapes, algorithm and instruction set only: the same bits
// for any number of workers, and for a picture alone or within a batch.
//
// It knows nothing of tensors or graphs; kernels and the rooms above it may
// import it.
package conv
