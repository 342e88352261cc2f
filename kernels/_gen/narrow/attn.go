package main

import "fmt"

// attention writes a block of keys' part for 32 queries: from its scores to the
// weights, the values times these, and the scores of the next block.
func attention(w *writer) {
	configuration(w)
	w.p("// The polynomial for 2^x in [0,1), relative error 7.5e-5 (Remez).")
	for i, bits := range []string{"3f7ffb19", "3f322226", "3e677e26", "3d9fcb52"} {
		w.p("DATA exp2<>+%d(SB)/4, $0x%s", 4*i, bits)
	}
	w.p("DATA exp2<>+16(SB)/4, $0x41000000 // 8")
	w.p("GLOBL exp2<>(SB), RODATA|NOPTR, $20")
	w.p("")
	w.p("// func attendAMXBF16(t *attend)")
	w.p("//")
	w.p("// Requires: AMX-TILE, AMX-BF16, AVX512_BF16, AVX512F, AVX512DQ, and the system's leave.")
	w.p("//")
	w.p("//	T0 T1  sums of queries 0-15    T2 T3  of 16-31    T4 T5  values or keys    T6 T7  weights or queries")
	w.p("//	SI R8  rows 0 and 16 of the left operand    AX  its stride    BX R9  panels    CX  steps left")
	w.p("//	DX  64 or 128    R10 R11  rows 0 and 16 of the sums    R12  their stride    R13  panels left    DI  t")
	w.p("//")
	w.p("//	Z0-Z5  a row's scores    Z6-Z11  their weights    Z12-Z17  fractions    Z24-Z27  the polynomial")
	w.p("//	Z31  the maximum    Z30  the correction    Z28 Z29  sums of weights")
	w.p("//	SI  scores, then weights    R9  maxima    R10  sums    R11  results    R13  rows left    CX  lines or vectors left")
	w.p("//	R8 R12  values and keys that the products will read")
	w.p("//")
	w.p("//	for each row {")
	w.p("//		fetch a row's share of the values and keys")
	w.p("//		if max(scores) > m + 8 { old = m; m = max(scores); l *= 2^(old-m); o *= 2^(old-m) }")
	w.p("//		for each score { p = 2^(score-m); l += p; weight = bfloat16(p) }")
	w.p("//	}")
	w.p("//	for each two panels of 16 values' columns { o += p · v }")
	w.p("//	for each panel of 32 keys { s = q · k }")
	w.p("TEXT ·attendAMXBF16(SB), NOSPLIT, $0-8")
	w.code("MOVQ t+0(FP), DI\nLEAQ tiles<>(SB), R10")
	w.tileConfig("R10")
	weights(w)
	w.code(`
		MOVQ attend_depth(DI), CX
		TESTQ CX, CX
		JZ   scores
		MOVQ $const_rowBytes, AX
		MOVQ attend_v(DI), BX
		MOVQ attend_o(DI), R10
		MOVQ attend_ldo(DI), R12
		MOVQ R12, R11
		SHLQ $4, R11
		ADDQ R10, R11
		MOVQ attend_panels(DI), R13
		MOVQ $64, DX
		columns:
		MOVQ attend_s(DI), SI
		MOVQ AX, R8
		SHLQ $4, R8
		ADDQ SI, R8
		MOVQ attend_depth(DI), CX
		CMPQ R13, $1
		JEQ  one
		LEAQ const_panelBytes(BX), R9`)
	for t := range 4 {
		w.tileLoad(t, []string{"R10", "R11"}[t/2], t%2*64, "R12")
	}
	w.p("two:")
	w.tileLoad(4, "BX", 0, "DX")
	w.tileLoad(6, "SI", 0, "AX")
	w.tileProduct(0, 6, 4)
	w.tileLoad(5, "R9", 0, "DX")
	w.tileProduct(1, 6, 5)
	w.tileLoad(7, "R8", 0, "AX")
	w.tileProduct(2, 7, 4)
	w.tileProduct(3, 7, 5)
	w.code(`
		ADDQ $64, SI
		ADDQ $64, R8
		ADDQ $1024, BX
		ADDQ $1024, R9
		DECQ CX
		JNZ  two`)
	for t := range 4 {
		w.tileStore(t, []string{"R10", "R11"}[t/2], t%2*64, "R12")
	}
	w.code(`
		ADDQ $128, R10
		ADDQ $128, R11
		MOVQ R9, BX
		SUBQ $2, R13
		JG   columns
		JMP  scores
		one:`)
	w.tileLoad(0, "R10", 0, "R12")
	w.tileLoad(2, "R11", 0, "R12")
	w.p("last:")
	w.tileLoad(4, "BX", 0, "DX")
	w.tileLoad(6, "SI", 0, "AX")
	w.tileProduct(0, 6, 4)
	w.tileLoad(7, "R8", 0, "AX")
	w.tileProduct(2, 7, 4)
	w.code(`
		ADDQ $64, SI
		ADDQ $64, R8
		ADDQ $1024, BX
		DECQ CX
		JNZ  last`)
	w.tileStore(0, "R10", 0, "R12")
	w.tileStore(2, "R11", 0, "R12")
	w.p("scores:")
	w.code(`
		MOVQ attend_keys(DI), R13
		TESTQ R13, R13
		JZ   done
		MOVQ attend_ldq(DI), AX
		MOVQ attend_k(DI), BX
		MOVQ attend_s(DI), R10
		MOVQ $const_rowBytes, R12
		MOVQ R12, R11
		SHLQ $4, R11
		ADDQ R10, R11
		MOVQ $128, DX
		panel:
		MOVQ attend_q(DI), SI
		MOVQ AX, R8
		SHLQ $4, R8
		ADDQ SI, R8
		MOVQ attend_steps(DI), CX`)
	for t := range 4 {
		w.tileZero(t)
	}
	w.p("step:")
	w.tileLoad(4, "BX", 0, "DX")
	w.tileLoad(6, "SI", 0, "AX")
	w.tileProduct(0, 6, 4)
	w.tileLoad(5, "BX", 64, "DX")
	w.tileProduct(1, 6, 5)
	w.tileLoad(7, "R8", 0, "AX")
	w.tileProduct(2, 7, 4)
	w.tileProduct(3, 7, 5)
	w.code(fmt.Sprintf(`
		ADDQ $64, SI
		ADDQ $64, R8
		ADDQ $%d, BX
		DECQ CX
		JNZ  step`, 16*panel))
	for t := range 4 {
		w.tileStore(t, []string{"R10", "R11"}[t/2], t%2*64, "R12")
	}
	w.code(`
		ADDQ $128, R10
		ADDQ $128, R11
		DECQ R13
		JNZ  panel
		done:`)
	w.tileRelease()
	w.code("VZEROUPPER\nRET")
}

// exp2 sets Z[p] to 2 to the power of Z[x], with Z[r] to help.
func exp2(w *writer, x, r, p int) {
	w.code(fmt.Sprintf(`
		VREDUCEPS $9, Z%[1]d, Z%[2]d // what is above the whole part
		VMOVAPS Z27, Z%[3]d
		VFMADD213PS Z26, Z%[2]d, Z%[3]d
		VFMADD213PS Z25, Z%[2]d, Z%[3]d
		VFMADD213PS Z24, Z%[2]d, Z%[3]d
		VSCALEFPS Z%[1]d, Z%[3]d, Z%[3]d`, x, r, p))
}

// scoreVectors are the vectors of a row of scores: a block of 96 keys.
const scoreVectors = 6

// weights writes the step from scores to weights. A product of empty tiles a row
// keeps the multiplier awake: after half a microsecond without one the next takes
// 0.3 µs more, a third of a block's time.
func weights(w *writer) {
	w.code(`
		MOVQ attend_s(DI), SI
		MOVQ attend_m(DI), R9
		MOVQ attend_l(DI), R10
		MOVQ attend_o(DI), R11
		MOVQ attend_rows(DI), R13
		TESTQ R13, R13
		JZ   products
		MOVQ attend_v(DI), R8
		MOVQ attend_k(DI), R12`)
	for i := range 4 {
		w.code(fmt.Sprintf("VBROADCASTSS exp2<>+%d(SB), Z%d", 4*i, 24+i))
	}
	w.p("\tPCALIGN $32")
	w.p("row:")
	w.tileProduct(7, 6, 5)
	w.code(`
		MOVQ attend_vLines(DI), CX
		vlines:
		PREFETCHT0 (R8)
		ADDQ $64, R8
		DECQ CX
		JNZ  vlines
		MOVQ attend_kLines(DI), CX
		klines:
		PREFETCHT0 (R12)
		ADDQ $64, R12
		DECQ CX
		JNZ  klines`)
	for i := range scoreVectors {
		w.code(fmt.Sprintf("VMOVUPS %d(SI), Z%d", 64*i, i))
	}
	w.code(`
		VMAXPS Z1, Z0, Z12
		VMAXPS Z3, Z2, Z13
		VMAXPS Z5, Z4, Z14
		VMAXPS Z13, Z12, Z12
		VMAXPS Z14, Z12, Z12
		VEXTRACTF64X4 $1, Z12, Y13
		VMAXPS Y13, Y12, Y12
		VEXTRACTF128 $1, Y12, X13
		VMAXPS X13, X12, X12
		VPERMILPS $0x4e, X12, X13
		VMAXPS X13, X12, X12
		VPERMILPS $0xb1, X12, X13
		VMAXPS X13, X12, X12
		VBROADCASTSS (R9), Z31
		VMOVUPS (R10), Z28
		VADDSS exp2<>+16(SB), X31, X13
		VUCOMISS X13, X12
		JLS  weights // also where a score is no number: its weight is none
		VMOVAPS Z31, Z13
		VBROADCASTSS X12, Z31
		VSUBPS Z31, Z13, Z12`)
	exp2(w, 12, 13, 30)
	w.code(`
		VMOVSS X31, (R9)
		VMULPS Z30, Z28, Z28
		MOVQ R11, BX
		MOVQ attend_panels(DI), CX
		correct:
		VMULPS (BX), Z30, Z12
		VMOVUPS Z12, (BX)
		ADDQ $64, BX
		DECQ CX
		JNZ  correct
		weights:`)
	for i := range scoreVectors {
		w.code(fmt.Sprintf("VSUBPS Z31, Z%[1]d, Z%[1]d", i))
	}
	for i := range scoreVectors {
		exp2(w, i, 12+i, 6+i)
	}
	w.code(`
		VADDPS Z7, Z6, Z12
		VADDPS Z9, Z8, Z13
		VADDPS Z11, Z10, Z14
		VADDPS Z12, Z28, Z28
		VADDPS Z14, Z13, Z13
		VADDPS Z13, Z28, Z28
		VMOVUPS Z28, (R10)`)
	for i := 0; i < scoreVectors; i += 2 {
		w.narrow(6+i, 7+i, 18+i/2)
		w.code(fmt.Sprintf("VMOVUPS Z%d, %d(SI)", 18+i/2, 32*i))
	}
	w.code(fmt.Sprintf(`
		ADDQ $%d, SI
		ADDQ $4, R9
		ADDQ $64, R10
		ADDQ attend_ldo(DI), R11
		DECQ R13
		JNZ  row
		products:`, 64*scoreVectors))
}
