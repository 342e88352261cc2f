package elem

import "syntic/kernels/ref"

// Act sets dst[i] = a(x[i]). Same as ref.Act.Apply within the error stated in
// the package's accuracy test.
//
// Aliasing: dst may be x.
func (k *Kernel) Act(dst, x []float32, a ref.Act) {
	sameLen(len(dst), len(x))
	if a == ref.None {
		copy(dst, x)
		return
	}
	unary(k.act[a], dst, x)
}

// Exp sets dst[i] = e^x[i], and +Inf above 88.73. Aliasing: dst may be x.
func (k *Kernel) Exp(dst, x []float32) {
	sameLen(len(dst), len(x))
	unary(k.exp, dst, x)
}

// Log sets dst[i] to the natural logarithm of x[i]: -Inf at 0, NaN below.
// Aliasing: dst may be x.
func (k *Kernel) Log(dst, x []float32) {
	sameLen(len(dst), len(x))
	unary(k.log, dst, x)
}

// ScaleAdd sets dst[i] = a(x[i]*s[c] + t[c]) with c = i mod C: the inference
// form of a normalisation.
//
// Shapes: dst and x [M,C], s and t [C]. Aliasing: dst may be x.
func (k *Kernel) ScaleAdd(dst, x, s, t []float32, a ref.Act) {
	c := len(s)
	sameLen(len(dst), len(x))
	sameLen(len(t), c)
	if len(x) == 0 {
		return
	}
	if c <= 0 || len(x)%c != 0 {
		fail("%d elements are no whole rows of %d", len(x), c)
	}
	rows := max(1, callLen/c) * c
	for len(x) > 0 {
		n := min(rows, len(x))
		k.affineRows(dst[:n], x[:n], s, t)
		if a != ref.None {
			unary(k.act[a], dst[:n], dst[:n])
		}
		dst, x = dst[n:], x[n:]
	}
}

// GEGLU sets dst = first * gelu(second), where each row of x is first then
// second, with the exact GELU.
//
// Shapes: dst [M,N], x [M,2N]. Aliasing: dst and x must not overlap.
// Source: Shazeer, arXiv 2002.05202; the order of the halves is diffusers'.
func (k *Kernel) GEGLU(dst, x []float32, n int) {
	sameLen(2*len(dst), len(x))
	if len(dst) == 0 {
		return
	}
	if n <= 0 || len(dst)%n != 0 {
		fail("%d elements are no whole rows of %d", len(dst), n)
	}
	for i := 0; i < len(dst); i += n {
		row := x[2*i : 2*i+2*n]
		for j := 0; j < n; j += callLen {
			e := min(j+callLen, n)
			k.geluMul(dst[i+j:i+e], row[n+j:n+e], row[j:e])
		}
	}
}

func unary(f func(dst, x []float32), dst, x []float32) {
	for len(x) > callLen {
		f(dst[:callLen], x[:callLen])
		dst, x = dst[callLen:], x[callLen:]
	}
	f(dst, x)
}

func sameLen(n, want int) {
	if n != want {
		fail("length %d, want %d", n, want)
	}
}
