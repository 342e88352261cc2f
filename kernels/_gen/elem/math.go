package main

import "math"

// The polynomials are minimax fits (Remez exchange in 40 digits), rounded to
// float32; the stated errors are relative and before rounding.
var (
	// e^r = 1 + r(1 + r q(r)) for |r| <= ln2/2; 3.1e-9.
	expPoly = []float32{0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.00836874544620514, 0.0013814540579915047}
	// 2^r = 1 + r q(r) for |r| <= 1/2; 2.0e-9.
	exp2Poly = []float32{0.6931471824645996, 0.24022647738456726, 0.055503323674201965, 0.009618437848985195, 0.0013398951850831509,
		0.00015353297931142151}
	// log(1+f) = f + f² p(f) for -1/4 <= f <= 1/2; 4.8e-9.
	logPoly = []float32{-0.5, 0.3333345353603363, -0.250000536441803, 0.19990606606006622, -0.16647766530513763,
		0.14482061564922333, -0.1316223293542862, 0.10448335856199265, -0.044909656047821045}
	// Φ(-t)·e^(t²/2) = P(t)/Q(t) for 0 <= t <= 14.5, Φ the normal
	// distribution; 5.9e-9. All coefficients are positive: no cancellation.
	phiP = []float32{0.500000002955, 0.438294955488, 0.183235149425, 0.0406332327776, 0.00411631073017}
	phiQ = []float32{1, 1.67447489225, 1.20250317252, 0.469470662899, 0.101858857264, 0.0103179411188}
)

const (
	log2e  = math.Log2E
	ln2Hi  = 0x1.62e42ep-1 // ln 2 rounded down, so that ln2Lo has its sign: log(0) is -Inf, not NaN
	signOf = 1 << 31
	// e^x is 0 below expLow and +Inf above expHigh in float32.
	expLow, expHigh = -104, 89
	magic           = 0x1.8p23 // adding it rounds to an integer, held in the low bits
)

var ln2Lo = func() float32 { v := math.Ln2; return float32(v - ln2Hi) }()

// poly sets p to the polynomial with these coefficients, lowest first, at r.
func (f *fn) poly(c []float32, r, p int) {
	f.mov(f.c(c[len(c)-1]), f.v(p))
	for i := len(c) - 2; i >= 0; i-- {
		f.o("VFMADD213PS", f.c(c[i]), f.v(r), f.v(p))
	}
}

// atLeast sets d = max(x, low), keeping NaN. Uses tmp where lows live in memory.
func (f *fn) atLeast(x int, low float32, d, tmp int) {
	f.o("VMAXPS", f.v(x), f.creg(low, tmp), f.v(d))
}

func (f *fn) atMost(x int, high float32, d, tmp int) {
	f.o("VMINPS", f.v(x), f.creg(high, tmp), f.v(d))
}

// exp sets p = e^(c·x), for expLow-2 <= c·x <= expHigh or NaN; x, n and tmp
// are overwritten. correct, if not nil, adds to x, once it is reduced to
// [-ln2/2, ln2/2]/c, what rounding it lost. With nonPositive, AVX2 saves a
// second scaling.
func (f *fn) exp(c float64, x, n, p, tmp int, nonPositive bool, correct func(r int)) {
	var series []float32
	r := x
	if _, e := math.Frexp(c); math.Abs(c) == math.Ldexp(0.5, e) { // a power of 2: r - n*ln2/c has exact factors
		f.say("n = round(c*x/ln2), r = x - n*ln2/c, e^(c*x) = 2^n*e^(c*r)")
		f.round(float32(c*log2e), x, n)
		f.o("VFNMADD231PS", f.c(float32(ln2Hi/c)), f.v(n), f.v(x))
		f.o("VFNMADD231PS", f.c(ln2Lo/float32(c)), f.v(n), f.v(x))
		for i, v := range append([]float32{1, 1}, expPoly...) {
			series = append(series, v*float32(math.Pow(c, float64(i))))
		}
	} else {
		f.say("k = c/ln2 in two parts, n = round(k*x), r = k*x - n, e^(c*x) = 2^n*2^r")
		k := float32(c * log2e)
		f.round(k, x, n)
		r = tmp
		f.o("VMOVAPS", f.v(x), f.v(r))
		f.o("VFMSUB132PS", f.c(k), f.v(n), f.v(r))
		f.o("VFMADD231PS", f.c(float32(c*log2e-float64(k))), f.v(x), f.v(r))
		series = append([]float32{1}, exp2Poly...)
	}
	if correct != nil {
		correct(r)
	}
	if !f.masks && nonPositive {
		for i := range series {
			series[i] *= lift
		}
	}
	f.poly(series, r, p)
	f.scale(n, p, tmp, nonPositive)
}

// round sets n to the integer nearest to k*x.
func (f *fn) round(k float32, x, n int) {
	if f.masks {
		f.o("VMULPS", f.c(k), f.v(x), f.v(n))
		f.o("VRNDSCALEPS", "$8", f.v(n), f.v(n))
		return
	}
	f.mov(f.c(magic), f.v(n))
	f.o("VFMADD231PS", f.c(k), f.v(x), f.v(n))
	f.o("VSUBPS", f.c(magic), f.v(n), f.v(n))
}

// lift keeps p * 2^n normal for n >= -152; scale divides by it in the end.
const lift = 0x1p64

// scale multiplies p by 2^n, where subnormal results count and NaN stays.
func (f *fn) scale(n, p, tmp int, nonPositive bool) {
	if f.masks {
		f.o("VSCALEFPS", f.v(n), f.v(p), f.v(p))
		return
	}
	f.o("VCVTPS2DQ", f.v(n), f.v(n))
	if nonPositive {
		f.say("2^n by the exponent field: p was lifted by 2^64 to stay normal")
		f.o("VPSLLD", "$23", f.v(n), f.v(n))
		f.o("VPADDD", f.v(n), f.v(p), f.v(p))
		f.o("VMULPS", f.c(1/lift), f.v(p), f.v(p))
		return
	}
	f.say("2^n in two factors: it may be out of range alone")
	f.o("VPSRAD", "$1", f.v(n), f.v(tmp))
	f.o("VPSUBD", f.v(tmp), f.v(n), f.v(n))
	f.o("VPSLLD", "$23", f.v(tmp), f.v(tmp))
	f.o("VPSLLD", "$23", f.v(n), f.v(n))
	f.o("VPADDD", f.v(tmp), f.v(p), f.v(p))
	f.o("VPADDD", f.c(1), f.v(n), f.v(n))
	f.o("VMULPS", f.v(n), f.v(p), f.v(p))
}

// sigmoid sets register d = 1/(1+e^-(k·x)) for x in register x, kept.
// Registers 2 to 5 are overwritten; d may be one of 1, 2 and 4. Zen 5 divides
// 16 lanes in the shadow of the polynomial: a refined reciprocal is 25% slower.
func (f *fn) sigmoid(x int, k float64, d int) {
	const y, n, e, tmp = 2, 3, 4, 5
	f.say("y = max(-|x|, %d/k)", expLow)
	f.o("VORPS", f.cbits(signOf), f.v(x), f.v(y))
	f.atLeast(y, float32(expLow/k), y, tmp)
	f.exp(k, y, n, e, tmp, true, nil)
	f.say("(x < 0 ? e : 1)/(1 + e): no cancellation on either side")
	f.o("VADDPS", f.c(1), f.v(e), f.v(y))
	f.mov(f.c(1), f.v(n))
	if f.masks {
		f.o("VPMOVD2M", f.v(x), f.k())
		f.o("VMOVAPS", f.v(e), f.k(), f.v(n))
	} else {
		f.o("VBLENDVPS", f.v(x), f.v(e), f.v(n), f.v(n))
	}
	f.o("VDIVPS", f.v(y), f.v(n), f.v(d))
}

// gate sets register 0 to x·d: x is register 0 bounded below, so that
// -Inf·0 gives 0.
func (f *fn) gate(d int) {
	f.atLeast(0, expLow, 0, 2)
	f.o("VMULPS", f.v(d), f.v(0), f.v(0))
}

func (f *fn) silu(k float64) {
	f.sigmoid(0, k, 1)
	f.gate(1)
}

func (f *fn) geluTanh() {
	a := 2 * math.Sqrt(2/math.Pi)
	f.say("0.5(1+tanh u) = σ(2u); register 1 = 2u = x(a + a*0.044715 x²)")
	f.o("VMULPS", f.v(0), f.v(0), f.v(1))
	f.mov(f.c(float32(a*0.044715)), f.v(2))
	f.o("VFMADD213PS", f.c(float32(a)), f.v(2), f.v(1))
	f.o("VMULPS", f.v(0), f.v(1), f.v(1))
	f.sigmoid(1, 1, 4)
	f.gate(4)
}

// gelu sets register 0 = max(x,0) - |x|Φ(-|x|), which equals x·Φ(x) and
// loses no digits for negative x. Registers 1 to 6 are overwritten.
func (f *fn) gelu() {
	const t, y, n, p, q, lo = 1, 2, 3, 4, 5, 6
	f.say("t = min(|x|, 14.5), y = t², lo = what t² lost")
	f.o("VANDPS", f.cbits(signOf-1), f.v(0), f.v(t))
	f.atMost(t, 14.5, t, lo)
	f.o("VMULPS", f.v(t), f.v(t), f.v(y))
	f.o("VMOVAPS", f.v(y), f.v(lo))
	f.o("VFMSUB231PS", f.v(t), f.v(t), f.v(lo))
	f.exp(-0.5, y, n, p, q, true, func(r int) { f.o("VADDPS", f.v(lo), f.v(r), f.v(r)) })
	f.say("Φ(-t) = e^(-t²/2) P(t)/Q(t)")
	f.poly(phiP, t, y)
	f.poly(phiQ, t, q)
	f.o("VMULPS", f.v(p), f.v(y), f.v(p))
	f.o("VMULPS", f.v(t), f.v(p), f.v(p))
	f.o("VDIVPS", f.v(q), f.v(p), f.v(n))
	f.zero(t)
	f.o("VMAXPS", f.v(0), f.v(t), f.v(0))
	f.o("VSUBPS", f.v(n), f.v(0), f.v(0))
}

// tanh sets register 0 = -m/(2+m) with m = e^(-2|x|) - 1 and the sign of x.
func (f *fn) tanh() {
	const y, n, p, tmp, s = 2, 3, 4, 5, 6
	f.say("y = max(-2|x|, -40)")
	f.o("VORPS", f.cbits(signOf), f.v(0), f.v(y))
	f.o("VADDPS", f.v(y), f.v(y), f.v(y))
	f.atLeast(y, -40, y, tmp)
	f.say("m = 2^n(e^r - 1) + (2^n - 1): exact where y is small and n = 0")
	f.round(log2e, y, n)
	f.o("VFNMADD231PS", f.c(ln2Hi), f.v(n), f.v(y))
	f.o("VFNMADD231PS", f.c(ln2Lo), f.v(n), f.v(y))
	if f.masks {
		f.mov(f.c(1), f.v(s))
		f.o("VSCALEFPS", f.v(n), f.v(s), f.v(s))
	} else {
		f.o("VCVTPS2DQ", f.v(n), f.v(s))
		f.o("VPSLLD", "$23", f.v(s), f.v(s))
		f.o("VPADDD", f.c(1), f.v(s), f.v(s))
	}
	f.poly(expPoly, y, p)
	f.o("VMULPS", f.v(y), f.v(y), f.v(tmp))
	f.o("VFMADD213PS", f.v(y), f.v(tmp), f.v(p)) // p = r + r² q(r)
	f.o("VADDPS", f.c(-1), f.v(s), f.v(tmp))
	f.o("VFMADD213PS", f.v(tmp), f.v(s), f.v(p)) // p = m
	f.o("VADDPS", f.c(2), f.v(p), f.v(y))
	f.o("VANDPS", f.cbits(signOf-1), f.v(p), f.v(p))
	f.o("VDIVPS", f.v(y), f.v(p), f.v(n))
	f.o("VANDPS", f.cbits(signOf), f.v(0), f.v(0))
	f.o("VORPS", f.v(n), f.v(0), f.v(0))
}

func (f *fn) expFull() {
	f.atMost(0, expHigh, 0, 2)
	f.atLeast(0, expLow, 1, 2)
	f.exp(1, 1, 2, 0, 3, false, nil)
}

func (f *fn) log() {
	const m, k, p, tmp, mask = 1, 2, 3, 4, 5
	f.say("x = 2^k·m with 3/4 <= m < 3/2")
	inf := float32(math.Inf(1))
	if f.masks {
		f.say("getmant: $11 takes [3/4,3/2) and NaN for a negative x")
		f.o("VGETMANTPS", "$11", f.v(0), f.v(m))
		f.o("VGETEXPPS", f.v(0), f.v(k))
		f.o("VGETEXPPS", f.v(m), f.v(tmp))
		f.o("VSUBPS", f.v(tmp), f.v(k), f.v(k))
	} else {
		f.say("subnormal x: 2^23 times it")
		f.mov(f.c(0x1p-126), f.v(tmp))
		f.o("VCMPPS", "$0x11", f.v(tmp), f.v(0), f.v(mask)) // x < 2^-126
		f.o("VMULPS", f.c(0x1p23), f.v(0), f.v(m))
		f.o("VBLENDVPS", f.v(mask), f.v(m), f.v(0), f.v(m))
		f.o("VANDPS", f.c(23), f.v(mask), f.v(tmp))
		f.o("VPSUBD", f.c(0.75), f.v(m), f.v(k))
		f.o("VPSRAD", "$23", f.v(k), f.v(k))
		f.o("VPSLLD", "$23", f.v(k), f.v(p))
		f.o("VPSUBD", f.v(p), f.v(m), f.v(m))
		f.o("VCVTDQ2PS", f.v(k), f.v(k))
		f.o("VSUBPS", f.v(tmp), f.v(k), f.v(k))
	}
	f.say("log x = k ln2 + f + f² p(f), f = m - 1")
	f.o("VADDPS", f.c(-1), f.v(m), f.v(m))
	f.poly(logPoly, m, p)
	f.o("VMULPS", f.v(m), f.v(m), f.v(tmp))
	if f.masks {
		f.o("VMOVAPS", f.v(m), f.v(0))
		f.o("VMULPS", f.v(tmp), f.v(p), f.v(p))
		f.o("VFMADD231PS", f.c(ln2Lo), f.v(k), f.v(p))
		f.o("VADDPS", f.v(p), f.v(0), f.v(0))
		f.o("VFMADD231PS", f.c(ln2Hi), f.v(k), f.v(0))
		return
	}
	f.o("VMULPS", f.v(tmp), f.v(p), f.v(p))
	f.o("VFMADD231PS", f.c(ln2Lo), f.v(k), f.v(p))
	f.o("VADDPS", f.v(m), f.v(p), f.v(p))
	f.o("VFMADD231PS", f.c(ln2Hi), f.v(k), f.v(p))
	f.say("+Inf and NaN stay, 0 gives -Inf, less gives NaN")
	f.mov(f.c(inf), f.v(tmp))
	f.o("VCMPPS", "$0x15", f.v(tmp), f.v(0), f.v(mask)) // not x < Inf
	f.o("VBLENDVPS", f.v(mask), f.v(0), f.v(p), f.v(p))
	f.zero(tmp)
	f.o("VCMPPS", "$0x00", f.v(tmp), f.v(0), f.v(mask))
	f.mov(f.c(-inf), f.v(k))
	f.o("VBLENDVPS", f.v(mask), f.v(k), f.v(p), f.v(p))
	f.o("VCMPPS", "$0x11", f.v(tmp), f.v(0), f.v(mask))
	f.o("VORPS", f.v(mask), f.v(p), f.v(0)) // all ones is a NaN
}
