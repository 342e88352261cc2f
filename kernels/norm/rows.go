package norm

import "math"

// LayerNorm sets each row to (x-mean)/√(variance+eps)*w + b with the biased
// variance, taken in a second pass over the row so that a mean far above the
// deviation costs no digits. b or both w and b may be nil: 0 and 1.
//
// Shapes: dst and x [M,N], w and b [N]. Aliasing: dst may be x.
// Source: Ba, Kiros and Hinton, arXiv 1607.06450.
func (k *Kernel) LayerNorm(dst, x, w, b []float32, n int, eps float32) {
	rows(len(dst), len(x), n)
	check((w == nil && b == nil || len(w) == n) && (b == nil || len(b) == n), "weights of %d and %d for rows of %d", len(w), len(b), n)
	for i := 0; i < len(x); i += n {
		mean, v := k.meanVar(x[i : i+n])
		r := float32(1 / math.Sqrt(float64(v)+float64(eps)))
		k.normalize(dst[i:i+n], x[i:i+n], w, b, mean, r)
	}
}

// Softmax sets each row to e^(scale*x) divided by its sum, 0 beyond valid
// elements of a row (0 <= valid <= n). Masked positions may hold -Inf and
// become 0; a row of nothing but -Inf becomes NaN, as in torch, and a row with
// no valid element 0. NaN or +Inf in a row makes it NaN.
//
// Shapes: dst and x [M,N]. Range: scale >= 0. Aliasing: dst may be x.
func (k *Kernel) Softmax(dst, x []float32, n, valid int, scale float32) {
	rows(len(dst), len(x), n)
	check(valid >= 0 && valid <= n, "%d valid elements in rows of %d", valid, n)
	for i := 0; i < len(x); i += n {
		d, s := dst[i:i+valid], x[i:i+valid]
		if valid > 0 {
			sum := k.exp(d, s, scale, k.elem.Max(s))
			k.elem.Scale(d, d, float32(1/sum))
		}
		clear(dst[i+valid : i+n])
	}
}

// LogSoftmax sets each row to x - log Σe^x. A row of nothing but -Inf becomes
// NaN, as in torch; NaN or +Inf in a row makes it NaN.
//
// Shapes: dst and x [M,N]. Aliasing: dst may be x only where dst is all of x.
func (k *Kernel) LogSoftmax(dst, x []float32, n int) {
	rows(len(dst), len(x), n)
	for i := 0; i < len(x); i += n {
		d, s := dst[i:i+n], x[i:i+n]
		top := k.elem.Max(s)
		k.elem.AddScalar(d, s, -top)
		k.elem.AddScalar(d, d, -float32(math.Log(k.expTotal(d))))
	}
}

// exp sets dst = e^((x-top)*scale) and returns the sum of dst.
func (k *Kernel) exp(dst, x []float32, scale, top float32) float64 {
	var sum float64
	for len(x) > 0 {
		n := min(callLen, len(x))
		sum += float64(k.expSum(dst[:n], x[:n], scale, top))
		dst, x = dst[n:], x[n:]
	}
	return sum
}

// expTotal returns Σe^x.
func (k *Kernel) expTotal(x []float32) float64 {
	var buf [callLen]float32
	var sum float64
	for len(x) > 0 {
		n := min(callLen, len(x))
		sum += float64(k.expSum(buf[:n], x[:n], 1, 0))
		x = x[n:]
	}
	return sum
}

// callLen bounds the elements of one call of expSum, which sums in float32.
const callLen = 4096

// L2Normalize divides each row by max(|x|, 1e-12): a zero row stays zero.
//
// Shapes: dst and x [M,N]. Aliasing: dst may be x.
// Source: torch.nn.functional.normalize.
func (k *Kernel) L2Normalize(dst, x []float32, n int) {
	rows(len(dst), len(x), n)
	for i := 0; i < len(x); i += n {
		s := math.Sqrt(k.elem.SumSquares(x[i : i+n]))
		k.elem.Scale(dst[i:i+n], x[i:i+n], float32(1/max(s, 1e-12)))
	}
}
