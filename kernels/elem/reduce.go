package elem

// Max returns the largest element: NaN if any is NaN, -Inf for no elements.
func (k *Kernel) Max(x []float32) float32 {
	m := negInf
	for len(x) > 0 {
		n := min(callLen, len(x))
		// The test is written so that a NaN on either side stays.
		if v := k.max(x[:n]); v != v || v > m {
			m = v
		}
		if m != m {
			break
		}
		x = x[n:]
	}
	return m
}

// ArgMax returns the index of the first of the largest elements. A NaN counts
// as larger than anything, as in torch, so that a fault upstream shows.
// It returns -1 for no elements.
func (k *Kernel) ArgMax(x []float32) int {
	m := k.Max(x)
	for i, v := range x {
		if v == m || v != v {
			return i
		}
	}
	return -1
}

// TopK writes the indices of the k = len(idx) largest elements of x, the largest
// first, the lower index first among equals, and returns how many it wrote:
// min(k, len(x)). A NaN is neither larger nor smaller than anything: among the
// first k elements it keeps its place, so that those before it are sorted by
// themselves and stay before it; a later one is left out.
//
// The cost is one pass over x plus one insertion, of log k comparisons and a move
// of up to k indices, for each of the about k·ln(len(x)/k) elements that enter.
func (k *Kernel) TopK(idx []int32, x []float32) int {
	top := min(len(idx), len(x))
	first := 0 // of those that a NaN doesn't hold in place
	for i := range top {
		if x[i] != x[i] {
			idx[i], first = int32(i), i+1
		} else {
			insert(idx[first:i+1], x, int32(i))
		}
	}
	if first == top {
		return top
	}
	for at := top; at < len(x); at++ {
		least := x[idx[top-1]]
		end := min(at+callLen, len(x))
		if at += k.findGreater(x[at:end], least); at == end {
			at--
		} else if x[at] > least { // and no NaN
			insert(idx[first:top], x, int32(at))
		}
	}
	return top
}

// insert puts i in the list, sorted but for its last place, which is lost.
func insert(idx []int32, x []float32, i int32) {
	at, end := 0, len(idx)-1
	for at < end {
		if mid := (at + end) / 2; x[i] > x[idx[mid]] {
			end = mid
		} else {
			at = mid + 1
		}
	}
	copy(idx[at+1:], idx[at:])
	idx[at] = i
}

// Sum returns the sum of the elements. Blocks of 4096 are summed in float32 in
// a fixed order of lanes, and the blocks' sums in float64.
func (k *Kernel) Sum(x []float32) float64 {
	var s float64
	for len(x) > 0 {
		n := min(sumLen, len(x))
		s += float64(k.sum(x[:n]))
		x = x[n:]
	}
	return s
}

// Dot returns the sum of x[i]*y[i], in the order of Sum.
func (k *Kernel) Dot(x, y []float32) float64 {
	sameLen(len(y), len(x))
	var s float64
	for len(x) > 0 {
		n := min(sumLen, len(x))
		s += float64(k.dot(x[:n], y[:n]))
		x, y = x[n:], y[n:]
	}
	return s
}

// SumSquares returns the sum of the elements' squares, in the order of Sum.
func (k *Kernel) SumSquares(x []float32) float64 { return k.Dot(x, x) }

// sumLen is how many elements are summed in float32 lanes: with 64 lanes each
// holds 64 terms, so the error stays under 1e-6 of the sum of magnitudes.
const sumLen = 4096
