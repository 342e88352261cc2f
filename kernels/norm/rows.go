package norm

import "math"

// callLen bounds the elements of one assembly call that sums in float32.
const callLen = 4096

// LayerNorm sets each row to (x-mean)/√(variance+eps)*w + b with the biased
// variance. Each deviation is taken from the mean in a second pass, which also
// measures what rounding the mean lost: a mean far above the deviation costs
// no digits. b or both w and b may be nil: 0 and 1.
//
// Shapes: dst and x [M,N], w and b [N]. Aliasing: dst may be x.
// Source: Ba, Kiros and Hinton, arXiv 1607.06450.
func (k *Kernel) LayerNorm(dst, x, w, b []float32, n int, eps float32) {
	rows(len(dst), len(x), n)
	if len(w) != n && (w != nil || b != nil) || b != nil && len(b) != n {
		fail("weights of %d and %d for rows of %d", len(w), len(b), n)
	}
	for i := 0; i < len(x); i += n {
		d, s := dst[i:i+n], x[i:i+n]
		mean := float32(k.elem.Sum(s) / float64(n))
		lost, v := k.spread(s, mean)
		r := 1 / math.Sqrt(v+float64(eps))
		shift := float32(-lost * r)
		if b != nil {
			for j := 0; j < n; j += callLen {
				e := min(j+callLen, n)
				k.normalize(d[j:e], s[j:e], w[j:e], b[j:e], mean, float32(r), shift)
			}
			continue
		}
		k.elem.AddScalar(d, s, -mean)
		k.elem.Affine(d, d, float32(r), shift)
		if w != nil {
			k.elem.Mul(d, d, w)
		}
	}
}

// spread returns the mean of x less the given one, and the variance.
func (k *Kernel) spread(x []float32, mean float32) (lost, variance float64) {
	var sum, sq float64
	for i := 0; i < len(x); i += callLen {
		s, q := k.deviations(x[i:min(i+callLen, len(x))], mean)
		sum += float64(s)
		sq += float64(q)
	}
	n := float64(len(x))
	lost = sum / n
	return lost, max(sq/n-float64(lost*lost), 0)
}

// Softmax sets each row to e^(scale*x) divided by its sum, 0 beyond valid
// elements of a row (0 <= valid <= n). Masked positions may hold -Inf and
// become 0; a row of nothing but -Inf becomes NaN, as in torch, and a row with
// no valid element 0. NaN or +Inf in a row makes it NaN.
//
// Shapes: dst and x [M,N]. Range: scale >= 0. Aliasing: dst may be x.
func (k *Kernel) Softmax(dst, x []float32, n, valid int, scale float32) {
	rows(len(dst), len(x), n)
	if valid < 0 || valid > n {
		fail("%d valid elements in rows of %d", valid, n)
	}
	if valid == n && n <= callLen {
		for step := rowsChunk / n * n; len(x) > 0; {
			e := min(step, len(x))
			k.softmaxRows(dst[:e], x[:e], n, scale)
			dst, x = dst[e:], x[e:]
		}
		return
	}
	for i := 0; i < len(x); i += n {
		d, s := dst[i:i+valid], x[i:i+valid]
		switch {
		case valid == 0:
		case valid <= callLen:
			k.softmaxRows(d, s, valid, scale)
		default:
			sum := k.exp(d, s, scale, k.elem.Max(s))
			k.elem.Scale(d, d, float32(1/sum))
		}
		clear(dst[i+valid : i+n])
	}
}

// LogSoftmax sets each row to x - log Σe^x. A row of nothing but -Inf becomes
// NaN, as in torch; NaN or +Inf in a row makes it NaN.
//
// Shapes: dst and x [M,N]. Aliasing: dst may be x.
func (k *Kernel) LogSoftmax(dst, x []float32, n int) {
	rows(len(dst), len(x), n)
	for i := 0; i < len(x); i += n {
		d, s := dst[i:i+n], x[i:i+n]
		top := k.elem.Max(s)
		var sum float64
		for j := 0; j < n; j += callLen {
			sum += float64(k.expTotal(s[j:min(j+callLen, n)], top))
		}
		k.elem.AddScalar(d, s, -top)
		k.elem.AddScalar(d, d, float32(-math.Log(sum)))
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
