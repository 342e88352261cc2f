package elem

import (
	"math"

	"syntic/kernels/ref"
)

// MultistepPart is how many elements of a Multistep are a worker's share: some
// 50 µs.
const MultistepPart = 4096

// multistepBlock is how many elements are summed term by term at a time.
const multistepBlock = 256

// Multistep takes the step of ref.Multistep, with its bits, for elements [lo,hi) of
// n. Plain Go: it is a thousandth of the model's time.
//
// Shapes: x [R,n], in [n], o [n] or [2,n], z [n] or nil. R ≤ ref.MaxTensors.
// Allocs: none. Concurrency: disjoint ranges.
func Multistep(m *ref.Multistep, x, in, o, z []float32, n, lo, hi int) {
	var next [ref.MaxTensors][multistepBlock]float32
	var yBlock [multistepBlock]float32
	var eBlock, sumBlock [multistepBlock]float64
	for ; lo < hi; lo += multistepBlock {
		w := min(multistepBlock, hi-lo)
		x0, y, e, sum := x[lo:lo+w], yBlock[:w], eBlock[:w], sumBlock[:w]
		copy(y, o[lo:lo+w])
		if len(o) > n {
			for i, c := range o[n+lo : n+lo+w] {
				u := y[i]
				y[i] = u + float32(m.Guidance*(c-u))
			}
		}
		first := add(e, x0, m.Estimate[0], true)
		if add(e, y, m.Estimate[1], first) {
			clear(e)
		}
		if !math.IsInf(m.Limit, 1) {
			for i, v := range e {
				e[i] = min(max(v, -m.Limit), m.Limit)
			}
		}
		for r, row := range m.Next {
			first := true
			for j, a := range row {
				switch {
				case a == 0 || z == nil && j == len(row)-1: // a tensor that isn't looked at
				case j == 0:
					first = add(sum, x0, a, first)
				case j == 1:
					first = add(sum, y, a, first)
				case j == 2:
					first = add(sum, e, a, first)
				case j < len(row)-1:
					first = add(sum, x[(j-2)*n+lo:][:w], a, first)
				default:
					first = add(sum, z[lo:lo+w], a, first)
				}
			}
			if first {
				clear(sum)
			}
			for i, v := range sum {
				next[r][i] = float32(v)
			}
		}
		for r := range m.Next {
			copy(x[r*n+lo:], next[r][:w])
		}
		for i, v := range x0 {
			in[lo+i] = float32(m.Scale * float64(v))
		}
	}
}

// add adds a·t to sum, of which it is the first term or not, and tells whether the
// next one is: when a is 0, nothing is done.
func add[T float32 | float64](sum []float64, t []T, a float64, first bool) bool {
	switch {
	case a == 0:
		return first
	case first:
		for i, v := range t {
			sum[i] = a * float64(v)
		}
	default:
		for i, v := range t {
			sum[i] += float64(a * float64(v))
		}
	}
	return false
}

// NotFinite counts the elements that are infinite or NaN.
func NotFinite(x []float32) int {
	n := 0
	for _, v := range x {
		if v-v != 0 {
			n++
		}
	}
	return n
}
