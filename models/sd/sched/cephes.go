package sched

import "math"

// The elementary functions of PyTorch's vector path, operation by operation, so
// that [Torch] has its bits: Go's are better rounded, and 16 % of the numbers
// differed with them, by up to three units in the last place.
//
// Source: Moshier's Cephes, single/logf.c and sinf.c, in the order of
// operations of Pommier's sse_mathfun, with products and sums contracted.

// fma32 returns x·y+z rounded to float32. In float64 the product is exact, and
// rounding the sum twice never showed in 100,000 numbers.
func fma32(x, y, z float32) float32 { return float32(float64(x)*float64(y) + float64(z)) }

// horner evaluates a polynomial in float32, the highest power first.
func horner(x float32, p ...float32) float32 {
	y := p[0]
	for _, c := range p[1:] {
		y = fma32(y, x, c)
	}
	return y
}

// log32 returns the natural logarithm of a positive normal number.
func log32(x float32) float32 {
	b := math.Float32bits(x)
	e := float32(int(b>>23) - 126)
	x = math.Float32frombits(b&(1<<23-1) | 126<<23) // in [½,1)
	if x < math.Sqrt2/2 {
		e--
		x = x - 1 + x
	} else {
		x--
	}
	z := x * x
	y := horner(x, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
	y = fma32(y*x, z, -2.12194440e-4*e)
	y = fma32(z, -0.5, y)
	return fma32(e, 0.693359375, x+y)
}

// sincos32 returns the sine and cosine of an angle in [0,2π].
func sincos32(x float32) (sin, cos float32) {
	octant := (int(x*(4/math.Pi)) + 1) &^ 1
	y := float32(octant)
	for _, part := range [...]float32{-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8} { // -π/4
		x = fma32(y, part, x)
	}
	z := x * x
	c := horner(z, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2) * z
	cos = fma32(c, z, float32(-0.5*z)) + 1
	s := horner(z, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1) * z
	sin = fma32(s, x, x)
	if octant&2 != 0 {
		sin, cos = cos, sin
	}
	if octant&4 != 0 {
		sin = -sin
	}
	if (octant-2)&4 == 0 {
		cos = -cos
	}
	return sin, cos
}
