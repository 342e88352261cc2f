// Package norm holds the kernels that normalise rows or groups: LayerNorm,
// GroupNorm on NHWC, softmax, log-softmax and L2 normalisation.
//
// The methods of Kernel work on rows in one thread; the types LayerNorm,
// GroupNorm and Rows spread them over a pool, with chunks and an order of
// reduction that depend on the shapes alone. Attention has its own online
// softmax. Every kernel package above elem may import it.
//
// The assembly is written by kernels/_gen/elem.
package norm
