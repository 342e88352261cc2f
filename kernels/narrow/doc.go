// Package narrow computes products, convolutions and attention in bfloat16:
// operands are rounded to bfloat16 (nearest even), their products are exact and
// the sums float32. Inputs, results, biases and residuals stay float32.
//
// Weights are packed once into panels of 32 columns, in pairs of k as the
// instructions want them. The other operand is rounded into a workspace where a
// convolution's receptive fields lie evenly apart, so that every tap of the
// kernel is a product that reads it in place (see layout).
//
// The order of every sum is fixed: k ascends in the
// order of the packed weights (see Weights). With
// AMX each block of 32 values of k adds the sum of its even products and that of
// its odd ones, with AVX512_BF16 each pair its odd, then its even product. So the
// bits of a result depend on its operands and on which of the two instructions
// computes it, not on the number of rows, threads or pictures. Both take
// denormal operands for zeros and flush denormal sums.
//
// It knows no tensors. Devices import it.
package narrow
