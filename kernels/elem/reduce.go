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

// TopK writes the k = len(idx) largest elements of x and their indices, the
// largest first; of equal elements the one with the lower index comes first.
// NaN counts as larger than anything, as in torch. It returns how many it
// wrote: min(k, len(x)).
//
// Shapes: idx and val [K]. The cost is one pass over x plus one insertion for
// each of the about K·ln(len(x)/K) elements that enter the list.
func (k *Kernel) TopK(idx []int, val, x []float32) int {
	sameLen(len(val), len(idx))
	top := min(len(idx), len(x))
	if top == 0 {
		return 0
	}
	for i := range top {
		insert(idx[:i+1], val[:i+1], i, x[i])
	}
	for at := top; at < len(x); {
		least := val[top-1]
		if least != least {
			break // k NaNs: nothing is larger
		}
		end := min(at+callLen, len(x))
		j := k.findGreater(x[at:end], least)
		at += j
		if at < end {
			insert(idx[:top], val[:top], at, x[at])
			at++
		}
	}
	return top
}

// insert puts (i, v) in the list, sorted but for its last place, which is lost.
func insert(idx []int, val []float32, i int, v float32) {
	at := len(val) - 1
	for ; at > 0 && (val[at-1] < v || v != v && val[at-1] == val[at-1]); at-- {
		idx[at], val[at] = idx[at-1], val[at-1]
	}
	idx[at], val[at] = i, v
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
