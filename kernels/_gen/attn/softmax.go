package main

import "fmt"

// Constants of the exponential, in the order of the table.
const (
	cLimit = iota
	cMagic
	c5
	c4
	c3
	c2
	c1
	cOne
	cLowest
	cCount
)

// expTable emits the constants: once each for AVX-512, which keeps them in
// registers, a whole vector each for AVX2, which reads them as operands.
//
// AVX2 builds 2^n from n's bits, so its magic number carries the exponent bias
// and results below 2^-126 are cut to 0; VSCALEFPS does both for AVX-512.
func expTable(a *asm) {
	limit, magic := "c3480000", "4b400000" // -200, 1.5·2²³
	if a.p == "Y" {
		limit, magic = "c2fc0000", "4b40007f" // -126, 1.5·2²³+127
	}
	vals := [cCount]string{limit, magic, "3aaddd0a", "3c1e7544", "3d635ba9", "3e75fcde", "3f317215", "3f800000", "ff7fffff"}
	for i, v := range vals {
		if a.p == "Z" {
			a.f("DATA expConst<>+%d(SB)/4, $0x%s\n", 4*i, v)
			continue
		}
		for j := range 4 {
			a.f("DATA expConst<>+%d(SB)/8, $0x%s%s\n", a.step()*i+8*j, v, v)
		}
	}
	a.f("GLOBL expConst<>(SB), RODATA|NOPTR, $%d\n\n", a.step()*cCount)
}

// step is the distance of two constants in the table.
func (a *asm) step() int {
	if a.p == "Z" {
		return 4
	}
	return 32
}

// lowest loads the start of a maximum, a finite number below all others.
func (a *asm) lowest(i int) {
	a.ins("VBROADCASTSS", fmt.Sprintf("expConst<>+%d(SB), %s", a.step()*cLowest, a.r(i)), "the lowest finite number")
}

// loadExp brings constants to registers: AVX-512 all of them, Z16 to Z23; AVX2
// the first two, Y14 and Y15.
func (a *asm) loadExp() {
	base, n := 16, int(cLowest)
	if a.p == "Y" {
		base, n = 14, 2
	}
	for i := range n {
		a.ins("VBROADCASTSS", fmt.Sprintf("expConst<>+%d(SB), %s", a.step()*i, a.r(base+i)), "")
	}
}

// exp replaces vector x by 2^x, x ≤ 0, interleaved over the n vectors from
// register x on; scratch: 2·n (AVX-512) or 3·n (AVX2) registers from t on. NaN
// stays NaN.
//
//	n = round(x); r = x-n; p = polynomial(r); 2^x = p·2^n
func (a *asm) exp(n, x, t int) {
	each := func(op, note, format string, args ...func(i int) string) {
		for i := range n {
			v := make([]any, len(args))
			for j, f := range args {
				v[j] = f(i)
			}
			a.ins(op, fmt.Sprintf(format, v...), note)
			note = ""
		}
	}
	at := func(base int) func(int) string { return func(i int) string { return a.r(base + i) } }
	vx, vr, vn, vp := at(x), at(t), at(t+n), at(t+2*n)
	if a.p == "Z" {
		k := func(c int) func(int) string { return func(int) string { return a.r(16 + c) } }
		each("VMAXPS", "r: NaN stays", "%s, %s, %s", vx, k(cLimit), vr)
		each("VADDPS", "n", "%s, %s, %s", vr, k(cMagic), vn)
		each("VSUBPS", "", "%s, %s, %s", k(cMagic), vn, vn)
		each("VSUBPS", "", "%s, %s, %s", vn, vr, vr)
		each("VMOVAPS", "p", "%s, %s", k(c5), vx)
		for c := c4; c <= cOne; c++ {
			each("VFMADD213PS", "", "%s, %s, %s", k(c), vr, vx)
		}
		each("VSCALEFPS", "p·2^n", "%s, %s, %s", vn, vx, vx)
		return
	}
	mem := func(c int) func(int) string {
		return func(int) string { return fmt.Sprintf("expConst<>+%d(SB)", 32*c) }
	}
	limit, magic := "Y14", "Y15"
	fix := func(s string) func(int) string { return func(int) string { return s } }
	each("VCMPPS", "p: not below the limit", "$5, %s, %s, %s", fix(limit), vx, vp)
	each("VMAXPS", "x: NaN stays", "%s, %s, %s", vx, fix(limit), vx)
	each("VADDPS", "n", "%s, %s, %s", vx, fix(magic), vn)
	each("VSUBPS", "", "%s, %s, %s", fix(magic), vn, vr)
	each("VPSLLD", "2^n", "$23, %s, %s", vn, vn)
	each("VANDPS", "or 0", "%s, %s, %s", vp, vn, vn)
	each("VSUBPS", "r", "%s, %s, %s", vr, vx, vx)
	each("VMOVUPS", "p", "%s, %s", mem(c5), vp)
	for c := c4; c <= cOne; c++ {
		each("VFMADD213PS", "", "%s, %s, %s", mem(c), vx, vp)
	}
	each("VMULPS", "p·2^n", "%s, %s, %s", vn, vp, vx)
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
	a.lowest(12)
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
	a.ins("VMOVSS", fmt.Sprintf("expConst<>+%d(SB), X0", a.step()*cOne), "")
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
