package elem

// Add sets dst = x + y. Aliasing: dst may be x or y.
func (k *Kernel) Add(dst, x, y []float32) { zip(k.add, dst, x, y) }

// Sub sets dst = x - y. Aliasing: dst may be x or y.
func (k *Kernel) Sub(dst, x, y []float32) { zip(k.sub, dst, x, y) }

// Mul sets dst = x * y. Aliasing: dst may be x or y.
func (k *Kernel) Mul(dst, x, y []float32) { zip(k.mul, dst, x, y) }

// AddRow adds row to every row of x.
//
// Shapes: dst and x [M,N], row [N]. Aliasing: dst may be x.
func (k *Kernel) AddRow(dst, x, row []float32) { eachRow(k.add, dst, x, row) }

// MulRow multiplies every row of x by row.
//
// Shapes: dst and x [M,N], row [N]. Aliasing: dst may be x.
func (k *Kernel) MulRow(dst, x, row []float32) {
	if len(row) == 1 {
		k.Scale(dst, x, row[0])
		return
	}
	eachRow(k.mul, dst, x, row)
}

// AddScalar sets dst = x + t. Aliasing: dst may be x.
func (k *Kernel) AddScalar(dst, x []float32, t float32) { k.Affine(dst, x, 1, t) }

// Scale sets dst = x * s. Aliasing: dst may be x.
func (k *Kernel) Scale(dst, x []float32, s float32) {
	k.Affine(dst, x, s, negZero) // x*s + -0 keeps the sign of a zero, + 0 doesn't
}

// Affine sets dst = x*s + t; whether the product is rounded before the sum
// depends on the instruction set. Aliasing: dst may be x.
func (k *Kernel) Affine(dst, x []float32, s, t float32) {
	sameLen(len(dst), len(x))
	for len(x) > 0 {
		n := min(callLen, len(x))
		k.affine(dst[:n], x[:n], s, t)
		dst, x = dst[n:], x[n:]
	}
}

// Axpy adds s*x to dst. Aliasing: dst may be x.
func (k *Kernel) Axpy(dst, x []float32, s float32) {
	sameLen(len(dst), len(x))
	for len(x) > 0 {
		n := min(callLen, len(x))
		k.axpy(dst[:n], x[:n], s)
		dst, x = dst[n:], x[n:]
	}
}

func zip(f func(dst, x, y []float32), dst, x, y []float32) {
	sameLen(len(dst), len(x))
	sameLen(len(y), len(x))
	for len(x) > callLen {
		f(dst[:callLen], x[:callLen], y[:callLen])
		dst, x, y = dst[callLen:], x[callLen:], y[callLen:]
	}
	f(dst, x, y)
}

func eachRow(f func(dst, x, y []float32), dst, x, row []float32) {
	n := len(row)
	sameLen(len(dst), len(x))
	if len(x) == 0 {
		return
	}
	if n <= 0 || len(x)%n != 0 {
		fail("%d elements are no whole rows of %d", len(x), n)
	}
	for i := 0; i < len(x); i += n {
		zip(f, dst[i:i+n], x[i:i+n], row)
	}
}
