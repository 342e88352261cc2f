package ref

import "slices"

// GEGLU returns first*gelu(second) for rows of x [M,2N] that are first then
// second.
func GEGLU(x []float32, n int) []float64 {
	var out []float64
	for i := 0; i < len(x); i += 2 * n {
		for j := range n {
			out = append(out, float64(x[i+j])*GELU.Apply(float64(x[i+n+j])))
		}
	}
	return out
}

// TopK returns the indices of the k largest elements of x, the largest first,
// the lower index first among equals. A NaN is neither larger nor smaller than
// anything: among the first k elements it keeps its place, so that those before
// it are sorted by themselves and stay before it; a later one is left out.
func TopK(x []float32, k int) []int {
	var idx []int
	for i, v := range x {
		at := len(idx)
		for at > 0 && v > x[idx[at-1]] {
			at--
		}
		idx = slices.Insert(idx, at, i)
		idx = idx[:min(k, len(idx))]
	}
	return idx
}

// Permute returns x with its axes reordered: axis i of the result is axis
// perm[i] of x.
func Permute(x []float32, shape, perm [4]int) []float32 {
	out := make([]float32, 0, len(x))
	at := func(i [4]int) int { return ((i[0]*shape[1]+i[1])*shape[2]+i[2])*shape[3] + i[3] }
	var i [4]int
	for i[perm[0]] = 0; i[perm[0]] < shape[perm[0]]; i[perm[0]]++ {
		for i[perm[1]] = 0; i[perm[1]] < shape[perm[1]]; i[perm[1]]++ {
			for i[perm[2]] = 0; i[perm[2]] < shape[perm[2]]; i[perm[2]]++ {
				for i[perm[3]] = 0; i[perm[3]] < shape[perm[3]]; i[perm[3]]++ {
					out = append(out, x[at(i)])
				}
			}
		}
	}
	return out
}
