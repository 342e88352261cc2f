// Package attn computes multi-head scaled dot-product attention,
// softmax(scale·QKᵀ)·V, without ever storing the matrix of scores.
//
// It does not project: queries, keys and values come from a matrix product,
// often as one packed [B,L,3·H·D] tensor that is read in place through
// strides. Two roads lead to the result. A few queries at a time against many
// keys (a decoder's step with its cache) take the row road: one query's scores
// as a vector, bound by reading K and V once. Everything else takes the tile
// road: queries lie on the vector lanes, so scores, running maximum, sum and
// result are all plain vertical vectors, a head dimension of 40 wastes nothing
// on 16 lanes, and K and V are only ever broadcast, so that they need no
// transposition.
//
// Engines (tensor/cpu) import it through kernels; models don't.
//
// Source: online softmax, Milakov and Gimelshein, arXiv 1805.02867; the tiling
// over keys, Dao et al., arXiv 2205.14135.
package attn
