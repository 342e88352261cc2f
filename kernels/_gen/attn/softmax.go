package main

import (
	"fmt"
	"math"
)

// Constants of the exponential, in the order of the table.
const (
	cLimit = iota
	cMagic
	c3
	c2
	c1
	cOne
	cLowest
	cCount
)

// parts is how many steps a power of two is divided into: the powers between
// 1 and 2 are looked up in as many lanes as one permutation reaches.
func (a *asm) parts() int {
	if a.p == "Z" {
		return 32
	}
	return 8
}

// expTable emits the constants, each as a whole vector for AVX2, which reads
// them as operands, and the powers 2^(k/parts), less k in their mantissa: see
// exp.
//
// The polynomials for 2^r-1, |r| ≤ 1/(2·parts), exact at 0, have the least
// relative error (5.3e-8 with 32 parts, 2.5e-8 with 8), by Lawson's reweighted
// least squares. With the roundings 2^x is within 1.7e-7.
func expTable(a *asm) {
	vals := [cCount]uint32{cLimit: math.Float32bits(-126), cOne: math.Float32bits(1), cLowest: math.Float32bits(-math.MaxFloat32)}
	vals[cMagic] = math.Float32bits(1.5 * float32(1<<23) / float32(a.parts()))
	if a.p == "Z" {
		vals[c2], vals[c1] = math.Float32bits(0x1.ebfbdep-3), math.Float32bits(0x1.62e584p-1)
	} else {
		vals[c3], vals[c2], vals[c1] = math.Float32bits(0x1.c6a004p-5), math.Float32bits(0x1.ec0c32p-3), math.Float32bits(0x1.62e432p-1)
	}
	at := 0
	word := func(v uint32) {
		a.f("DATA expConst<>+%d(SB)/4, $0x%08x\n", at, v)
		at += 4
	}
	for _, v := range vals {
		for range a.step() / 4 {
			word(v)
		}
	}
	for k := range a.parts() {
		power := float32(math.Exp2(float64(k) / float64(a.parts())))
		word(math.Float32bits(power) - uint32(k<<23/a.parts()))
	}
	a.f("GLOBL expConst<>(SB), RODATA|NOPTR, $%d\n\n", at)
}

// step is the distance of two constants in the table.
func (a *asm) step() int {
	if a.p == "Z" {
		return 4
	}
	return 32
}

func (a *asm) constant(c int) string { return fmt.Sprintf("expConst<>+%d(SB)", a.step()*c) }

// loadExp brings constants to registers. AVX-512: Z16 limit, Z17 magic, Z18 c2,
// Z19 c1, Z20 and Z21 powers. AVX2: Y14 limit, Y15 magic, Y10 powers.
func (a *asm) loadExp() {
	load := func(c int, r string) { a.ins("VBROADCASTSS", a.constant(c)+", "+r, "") }
	if a.p == "Z" {
		load(cLimit, "Z16")
		load(cMagic, "Z17")
		load(c2, "Z18")
		load(c1, "Z19")
		a.ins("VMOVUPS", a.constant(cCount)+", Z20", "powers of two")
		a.ins("VMOVUPS", a.constant(cCount+16)+", Z21", "")
		return
	}
	load(cLimit, "Y14")
	load(cMagic, "Y15")
	a.ins("VMOVUPS", a.constant(cCount)+", Y10", "powers of two")
}

// exp replaces x by 2^x, x ≤ 0, in the u registers from x on, interleaved;
// scratch: 2·u (AVX-512) or 3·u (AVX2) registers from t on. Below 2^-126 the
// result is 0; NaN stays NaN.
//
//	n = round(x·parts), in the low bits of x + magic
//	r = x - n/parts
//	2^x = power·(1 + c1·r + c2·r² (+ c3·r³))
//
// where power's bits are a sum: n shifted up to the exponent, plus the entry
// for n's low bits, from which what they add to the mantissa was taken off.
func (a *asm) exp(u, x, t int) {
	type operand = func(i int) string
	each := func(op, note, format string, args ...operand) {
		for i := range u {
			v := make([]any, len(args))
			for j, f := range args {
				v[j] = f(i)
			}
			a.ins(op, fmt.Sprintf(format, v...), note)
			note = ""
		}
	}
	reg := func(base int) operand { return func(i int) string { return a.r(base + i) } }
	fix := func(s string) operand { return func(int) string { return s } }
	vx, vr, vn := reg(x), reg(t), reg(t+u)
	if a.p == "Z" {
		keep := func(i int) string { return fmt.Sprintf("K%d", i+1) }
		each("VCMPPS", "not below the limit", "$5, Z16, %s, %s", vx, keep)
		each("VADDPS", "n", "%s, Z17, %s", vx, vn)
		each("VSUBPS", "n/parts", "Z17, %s, %s", vn, vr)
		each("VSUBPS", "r", "%s, %s, %s", vr, vx, vr)
		each("VPSLLD", "", "$18, %s, %s", vn, vx)
		each("VPERMI2PS", "", "Z21, Z20, %s", vn)
		each("VPADDD", "power", "%s, %s, %s", vn, vx, vx)
		each("VMOVAPS", "", "Z18, %s", vn)
		each("VFMADD213PS", "c2·r + c1", "Z19, %s, %s", vr, vn)
		each("VMULPS", "power·r", "%s, %s, %s", vr, vx, vr)
		each("VFMADD231PS.Z", "2^x or 0", "%s, %s, %s, %s", vn, vr, keep, vx)
		return
	}
	vp := reg(t + 2*u)
	each("VADDPS", "n", "%s, Y15, %s", vx, vn)
	each("VSUBPS", "n/parts", "Y15, %s, %s", vn, vr)
	each("VSUBPS", "r", "%s, %s, %s", vr, vx, vr)
	each("VCMPPS", "not below the limit", "$5, Y14, %s, %s", vx, vx)
	each("VPERMPS", "", "Y10, %s, %s", vn, vp)
	each("VPSLLD", "", "$20, %s, %s", vn, vn)
	each("VPADDD", "power", "%s, %s, %s", vn, vp, vp)
	each("VMOVUPS", "", "%s, %s", fix(a.constant(c3)), vn)
	each("VFMADD213PS", "c3·r + c2", "%s, %s, %s", fix(a.constant(c2)), vr, vn)
	each("VFMADD213PS", "…·r + c1", "%s, %s, %s", fix(a.constant(c1)), vr, vn)
	each("VMULPS", "power·r", "%s, %s, %s", vp, vr, vr)
	each("VFMADD231PS", "2^x", "%s, %s, %s", vn, vr, vp)
	each("VANDPS", "or 0", "%s, %s, %s", vp, vx, vx)
}

// softmax emits the online softmax of a tile and the softmax of a row.
func softmax(a *asm) {
	expTable(a)
	tileSoftmax(a)
	rowSoftmax(a)
}

func tileSoftmax(a *asm) {
	// Registers: 0.. the rows in flight; 12 maximum, 13 sum; AVX2: 14, 15
	// constants.
	high, sum := a.r(12), a.r(13)
	a.f(`// func softmax%s(s, m, l, corr *float32, vecs, n int)
//
// One block of the online softmax, per lane: with the new maximum
// m' = max(m, s[0..n)), s = 2^(s-m'), corr = 2^(m-m'), l = l·corr + Σs, m = m'.
//
// DI s, SI m, R8 l, R9 corr, R10 vectors left, R11 n, R12 row in bytes; AX, DX
// run along the rows.
`, a.suffix)
	a.text("softmax", 48)
	a.ins("MOVQ", "s+0(FP), DI", "")
	a.ins("MOVQ", "m+8(FP), SI", "")
	a.ins("MOVQ", "l+16(FP), R8", "")
	a.ins("MOVQ", "corr+24(FP), R9", "")
	a.ins("MOVQ", "vecs+32(FP), R10", "")
	a.ins("MOVQ", "n+40(FP), R11", "")
	a.ins("IMUL3Q", fmt.Sprintf("$%d, R10, R12", a.bytes), "")
	a.ins("LEAQ", "(R12)(R12*2), R13", "")
	a.loadExp()
	a.label("column")
	a.ins("MOVQ", "DI, AX", "")
	a.ins("MOVQ", "R11, DX", "")
	a.ins("VMOVUPS", "(SI), "+high, "the old maximum")
	for i := 1; i < 4; i++ {
		a.ins("VMOVAPS", high+", "+a.r(i), "")
	}
	a.ins("SUBQ", "$4, DX", "")
	a.ins("JLT", "maxTail", "")
	a.label("max4")
	a.ins("VMAXPS", fmt.Sprintf("(AX), %s, %s", high, high), "")
	a.ins("VMAXPS", fmt.Sprintf("(AX)(R12*1), %s, %s", a.r(1), a.r(1)), "")
	a.ins("VMAXPS", fmt.Sprintf("(AX)(R12*2), %s, %s", a.r(2), a.r(2)), "")
	a.ins("VMAXPS", fmt.Sprintf("(AX)(R13*1), %s, %s", a.r(3), a.r(3)), "")
	a.ins("LEAQ", "(AX)(R12*4), AX", "")
	a.ins("SUBQ", "$4, DX", "")
	a.ins("JGE", "max4", "")
	a.label("maxTail")
	a.ins("ADDQ", "$4, DX", "")
	a.ins("JZ", "rescale", "")
	a.label("max1")
	a.ins("VMAXPS", fmt.Sprintf("(AX), %s, %s", high, high), "")
	a.ins("ADDQ", "R12, AX", "")
	a.ins("DECQ", "DX", "")
	a.ins("JNZ", "max1", "")
	a.label("rescale")
	a.ins("VMAXPS", fmt.Sprintf("%s, %s, %s", a.r(2), a.r(1), a.r(1)), "")
	a.ins("VMAXPS", fmt.Sprintf("%s, %s, %s", a.r(3), high, high), "")
	a.ins("VMAXPS", fmt.Sprintf("%s, %s, %s", a.r(1), high, high), "")
	a.ins("VMOVUPS", "(SI), "+a.r(0), "")
	a.ins("VSUBPS", fmt.Sprintf("%s, %s, %s", high, a.r(0), a.r(0)), "")
	a.ins("VMOVUPS", high+", (SI)", "the new maximum")
	a.exp(1, 0, 4)
	a.ins("VMOVUPS", a.r(0)+", (R9)", "corr")
	a.ins("VMULPS", fmt.Sprintf("(R8), %s, %s", a.r(0), a.r(0)), "")
	a.ins("VMOVUPS", a.r(0)+", (R8)", "l·corr")
	a.zero(13, "Σs, in the order of the keys")

	a.ins("MOVQ", "DI, AX", "")
	a.ins("MOVQ", "R11, DX", "")
	a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.unroll), "")
	a.ins("JLT", "expTail", "")
	addr := []string{"(AX)", "(AX)(R12*1)", "(AX)(R12*2)", "(AX)(R13*1)"}
	a.f("\n\tPCALIGN $32\n")
	a.label("expN")
	for i := range a.unroll {
		a.ins("VMOVUPS", addr[i]+", "+a.r(i), "")
	}
	for i := range a.unroll {
		a.ins("VSUBPS", fmt.Sprintf("%s, %s, %s", high, a.r(i), a.r(i)), "")
	}
	a.exp(a.unroll, 0, 4)
	for i := range a.unroll {
		a.ins("VMOVUPS", a.r(i)+", "+addr[i], "")
		a.ins("VADDPS", fmt.Sprintf("%s, %s, %s", a.r(i), sum, sum), "")
	}
	a.ins("LEAQ", fmt.Sprintf("(AX)(R12*%d), AX", a.unroll), "")
	a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.unroll), "")
	a.ins("JGE", "expN", "")
	a.label("expTail")
	a.ins("ADDQ", fmt.Sprintf("$%d, DX", a.unroll), "")
	a.ins("JZ", "total", "")
	a.label("exp1")
	a.ins("VMOVUPS", "(AX), "+a.r(0), "")
	a.ins("VSUBPS", fmt.Sprintf("%s, %s, %s", high, a.r(0), a.r(0)), "")
	a.exp(1, 0, 4)
	a.ins("VMOVUPS", a.r(0)+", (AX)", "")
	a.ins("VADDPS", fmt.Sprintf("%s, %s, %s", a.r(0), sum, sum), "")
	a.ins("ADDQ", "R12, AX", "")
	a.ins("DECQ", "DX", "")
	a.ins("JNZ", "exp1", "")
	a.label("total")
	a.ins("VADDPS", fmt.Sprintf("(R8), %s, %s", sum, sum), "")
	a.ins("VMOVUPS", sum+", (R8)", "l")
	for _, r := range []string{"DI", "SI", "R8", "R9"} {
		a.ins("ADDQ", fmt.Sprintf("$%d, %s", a.bytes, r), "")
	}
	a.ins("DECQ", "R10", "")
	a.ins("JNZ", "column", "")
	a.ret()
	a.f("\n")
}

// fold reduces the lanes of register i to lane 0 of its X register with op
// VMAXPS or VADDPS; j is scratch.
func (a *asm) fold(op string, i, j int) {
	if a.p == "Z" {
		a.ins("VEXTRACTF64X4", fmt.Sprintf("$1, Z%d, Y%d", i, j), "")
		a.ins(op, fmt.Sprintf("Y%d, Y%d, Y%d", j, i, i), "")
	}
	a.ins("VEXTRACTF128", fmt.Sprintf("$1, Y%d, X%d", i, j), "")
	a.ins(op, fmt.Sprintf("X%d, X%d, X%d", j, i, i), "")
	a.ins("VPERMILPS", fmt.Sprintf("$0x4e, X%d, X%d", i, j), "")
	a.ins(op, fmt.Sprintf("X%d, X%d, X%d", j, i, i), "")
	a.ins("VPERMILPS", fmt.Sprintf("$0xb1, X%d, X%d", i, j), "")
	a.ins(op, fmt.Sprintf("X%d, X%d, X%d", j, i, i), "")
}

func rowSoftmax(a *asm) {
	high, sum, scale := a.r(12), a.r(13), a.r(11)
	a.f(`// func softmaxRow%s(s *float32, vecs int, c float32)
//
// s = 2^(c·s - max) / Σ over whole vectors; all zeros when every s is -Inf.
//
// DI s, R10 vectors; AX, DX run along s.
`, a.suffix)
	a.text("softmaxRow", 20)
	a.ins("MOVQ", "s+0(FP), DI", "")
	a.ins("MOVQ", "vecs+8(FP), R10", "")
	a.ins("VBROADCASTSS", "c+16(FP), "+scale, "")
	a.loadExp()
	a.ins("VBROADCASTSS", a.constant(cLowest)+", "+high, "the lowest finite number")
	a.ins("MOVQ", "DI, AX", "")
	a.ins("MOVQ", "R10, DX", "")
	a.label("max")
	a.ins("VMULPS", fmt.Sprintf("(AX), %s, %s", scale, a.r(0)), "")
	a.ins("VMOVUPS", a.r(0)+", (AX)", "c·s")
	a.ins("VMAXPS", fmt.Sprintf("%s, %s, %s", a.r(0), high, high), "")
	a.ins("ADDQ", fmt.Sprintf("$%d, AX", a.bytes), "")
	a.ins("DECQ", "DX", "")
	a.ins("JNZ", "max", "")
	a.fold("VMAXPS", 12, 0)
	a.ins("VBROADCASTSS", fmt.Sprintf("X12, %s", high), "the maximum")
	a.zero(13, "Σ")
	a.ins("MOVQ", "DI, AX", "")
	a.ins("MOVQ", "R10, DX", "")
	a.label("exp")
	a.ins("VMOVUPS", "(AX), "+a.r(0), "")
	a.ins("VSUBPS", fmt.Sprintf("%s, %s, %s", high, a.r(0), a.r(0)), "")
	a.exp(1, 0, 4)
	a.ins("VMOVUPS", a.r(0)+", (AX)", "")
	a.ins("VADDPS", fmt.Sprintf("%s, %s, %s", a.r(0), sum, sum), "")
	a.ins("ADDQ", fmt.Sprintf("$%d, AX", a.bytes), "")
	a.ins("DECQ", "DX", "")
	a.ins("JNZ", "exp", "")
	a.fold("VADDPS", 13, 0)
	a.ins("VXORPS", "X0, X0, X0", "")
	a.ins("VUCOMISS", "X0, X13", "")
	a.ins("JNE", "divide", "")
	a.ins("JPC", "done", "0: no score above -Inf")
	a.label("divide")
	a.ins("VMOVSS", a.constant(cOne)+", X0", "")
	a.ins("VDIVSS", "X13, X0, X0", "")
	a.ins("VBROADCASTSS", "X0, "+a.r(0), "1/Σ")
	a.label("scale")
	a.ins("VMULPS", fmt.Sprintf("(DI), %s, %s", a.r(0), a.r(1)), "")
	a.ins("VMOVUPS", a.r(1)+", (DI)", "")
	a.ins("ADDQ", fmt.Sprintf("$%d, DI", a.bytes), "")
	a.ins("DECQ", "R10", "")
	a.ins("JNZ", "scale", "")
	a.label("done")
	a.ret()
}
