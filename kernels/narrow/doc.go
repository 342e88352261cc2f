// Package narrow computes products and convolutions of operands that are rounded to
// a narrow type: bfloat16 or int8. Attention too, in bfloat16. Inputs, results,
// biases and residuals stay float32.
//
// In bfloat16 operands are rounded to the nearest even value, their products are
// exact and the sums float32.
//
// In int8 they are rounded to bytes in groups with a scale of their own, of up to 160
// channels: of a row or pixel, when it is read, from the least to the largest value
// and so that 0 is a byte; of a tap of a weight's column symmetrically. A group's
// sum is exact in int32; groups are scaled and added in float32. The relative error
// of a product of normal operands is 9e-3 and doesn't depend on K. A group with a
// NaN or an infinity makes all results that depend on it NaN, one with a scale below
// 1e-36 counts as zeros; results are finite only if the product of two scales is.
// Wide groups cost accuracy, narrow ones time: with groups of 64, 128 and 256 the
// full-size UNet errs by 3.1, 3.4 and 3.5 %, and with 128, 160 and 256 a product of
// 256×1280×1280 runs at 400, 413 and 420 GOP/s. Bytes that span from minus the
// largest magnitude to it err more where activations are lopsided: the UNet by
// 3.9 %, the autoencoder by 3.1 rather than 2.3.
//
// Weights are packed once into panels of 32 columns, in pairs or fours of k as the
// instructions want them. The other operand is rounded into a workspace where a
// convolution's receptive fields lie evenly apart, so that every tap of the
// kernel is a product that reads it in place (see layout and format).
//
// The order of every sum is fixed: k ascends in the order of the packed weights (see
// Weights). In bfloat16, with AMX each block of 32 values of k adds the sum of its
// even products and that of its odd ones, with AVX512_BF16 each pair its odd, then
// its even product. So the bits of a result depend on its operands and on the
// instruction that computes it, not on the number of rows, threads or pictures.
// Both take denormal operands for zeros and flush denormal sums.
//
// It knows no tensors. Devices import it.
package narrow
