package main

import "fmt"

// fewRows are the rows of the last group, from the least on, that the kernel of int8
// multiplies alone: the products of vectorRows take longer than the weights' way
// from memory.
var fewRows = []int{2, 6}

// productVNNI writes the kernel of int8.
func productVNNI(w *writer) {
	w.p("// func productAVX512VNNI(t *block)")
	w.p("//")
	w.p("// Requires: AVX512_VNNI, AVX512F, BMI2. Reads whole groups of %d rows of A, of %d or %d where no more are left.", vectorRows, fewRows[0], fewRows[1])
	w.p("//")
	w.p("//	Z0-Z23  int32 sums, row i in 2i and 2i+1    Z24 Z25  four of k of the panel, later scales")
	w.p("//	Z26 Z27  four of A in every lane    Z28 Z29  products of scales")
	w.p("//	SI R8 R10 R11  rows 0, 3, 6, 9 of A    AX  stride of A    BX  panel    CX  fours left")
	w.p("//	DX  steps left    R9  where A's steps lie    R12  sums    R13  rows left    DI  t")
	w.p("//")
	w.p("//	for each group of %d rows {", vectorRows)
	w.p("//		memory = loadSums ? memory : 0")
	w.p("//		for each step { memory += float32(A · panel - zero · sums of the panel) · scale · scales }")
	w.p("//		if !storeSums { c = relu(memory + bias + res), without the rows whose pixel is negative }")
	w.p("//	}")
	w.p("TEXT ·productAVX512VNNI(SB), NOSPLIT, $0-8")
	begin(w)
	w.p("group:")
	fetch(w, vectorRows)
	w.code(`
		MOVQ block_b(DI), BX
		MOVQ block_k(DI), DX
		MOVQ block_off(DI), R9
		MOVQ SI, block_row(DI)
		TESTQ $const_loadSums, block_flags(DI)
		JNZ  loaded
		VPXORD Z0, Z0, Z0`)
	for i := range 2 * vectorRows {
		w.code(fmt.Sprintf("VMOVUPS Z0, %d(R12)", 64*i))
	}
	w.p("loaded:")
	for _, n := range fewRows {
		w.code(fmt.Sprintf("CMPQ R13, $%d\nJLE  rows%[1]d", n))
	}
	for _, n := range append([]int{vectorRows}, fewRows...) {
		w.steps(n)
		w.code("JMP  summed")
	}
	w.p("summed:")
	w.code("MOVQ block_row(DI), SI")
	finish(w, vectorRows, "next")
	w.code("VZEROUPPER\nRET")
}

// steps writes the loop over the steps for so many rows.
func (w *writer) steps(rows int) {
	w.p("rows%d:", rows)
	w.bases(rows)
	w.code("VMOVDQU32 (BX), Z24\nVMOVDQU32 64(BX), Z25")
	for r := range rows {
		w.code(fmt.Sprintf("VPBROADCASTD %s, Z26\nVPMULLD Z24, Z26, Z%d\nVPMULLD Z25, Z26, Z%d", row(r, 4), 2*r, 2*r+1))
	}
	w.code("MOVQ block_quads(DI), CX")
	w.p("\tPCALIGN $32")
	w.p("quad%d:", rows)
	w.code("VMOVDQU32 128(BX), Z24\nVMOVDQU32 192(BX), Z25")
	for r := range rows {
		t := 26 + r%2
		w.code(fmt.Sprintf("VPBROADCASTD %s, Z%d\nVPDPBUSD Z24, Z%d, Z%d\nVPDPBUSD Z25, Z%d, Z%d", row(r, 8), t, t, 2*r, t, 2*r+1))
	}
	w.advance(rows)
	w.code(fmt.Sprintf(`
		ADDQ $%d, BX
		DECQ CX
		JNZ  quad%d`, panel, rows))
	w.bases(rows)
	w.code("VMOVUPS 128(BX), Z24\nVMOVUPS 192(BX), Z25")
	for r := range rows {
		w.code("VBROADCASTSS " + row(r, 0) + ", Z26")
		for i := range 2 {
			w.code(fmt.Sprintf("VCVTDQ2PS Z%[1]d, Z%[1]d\nVMULPS Z%[2]d, Z26, Z%[3]d\nVFMADD213PS %[4]d(R12), Z%[3]d, Z%[1]d\nVMOVUPS Z%[1]d, %[4]d(R12)",
				2*r+i, 24+i, 28+i, 128*r+64*i))
		}
	}
	w.code(fmt.Sprintf(`
		ADDQ $%d, BX
		ADDQ $8, R9
		DECQ DX
		JNZ  rows%d`, 2*panel, rows))
}

// quantise writes the rounding of a pixel's groups.
func quantise(w *writer) {
	w.p("// func quantiseAVX512(t *quantise)")
	w.p("//")
	w.p("// Requires: AVX512F, AVX512BW, AVX512VL, BMI2. Reads the values alone, writes whole groups.")
	w.p("//")
	w.p("//	Z0  least, negated    Z1  largest    Z2  NaN if one isn't finite    X4  scale    Z5  its inverse    Z6  the byte of 0")
	w.p("//	Z3  values    Z28  zeros    X29  1/255    X30  1    X31  signs")
	w.p("//	SI  x    BX  dst    R8  values left    R9  of a group    R10  values left of the group    CX  places left    DI  t")
	w.p("//")
	w.p("//	for each group {")
	w.p("//		low, high = max(0, -values), max(0, values); if even { both = the larger }")
	w.p("//		scale = low/255 + high/255; if below 1e-36 { scale = 0, as its inverse }; if a value isn't finite { scale = NaN }")
	w.p("//		zero = even ? 128 : round(low/scale); write scale, -zero")
	w.p("//		for each value, and zeros beyond the last { write min(round(value/scale) + zero, 255) }")
	w.p("//	}")
	w.p("TEXT ·quantiseAVX512(SB), NOSPLIT, $0-8")
	w.code(`
		MOVQ t+0(FP), DI
		MOVQ quantise_x(DI), SI
		MOVQ quantise_dst(DI), BX
		MOVQ quantise_n(DI), R8
		MOVQ quantise_deep(DI), R9
		MOVQ $-1, R12
		VPXORD Z28, Z28, Z28
		MOVL $0x3b808081, AX // 1/255
		VPBROADCASTD AX, X29
		MOVL $0x3f800000, AX // 1
		VPBROADCASTD AX, X30
		MOVL $0x80000000, AX
		VPBROADCASTD AX, X31
		group:
		MOVQ R9, R10
		CMPQ R8, R10
		CMOVQLT R8, R10
		SUBQ R10, R8
		VPXORD Z0, Z0, Z0
		VPXORD Z1, Z1, Z1
		VPXORD Z2, Z2, Z2
		MOVQ SI, R11
		MOVQ R10, CX
		SUBQ $16, CX
		JLT  rest
		PCALIGN $32
		span:
		VMOVUPS (R11), Z3
		VMINPS Z3, Z0, Z0
		VMAXPS Z3, Z1, Z1
		VFMADD231PS Z3, Z28, Z2
		ADDQ $64, R11
		SUBQ $16, CX
		JGE  span
		rest:
		ADDQ $16, CX
		JZ   reduce
		BZHIQ CX, R12, AX
		KMOVW AX, K1
		VMOVUPS.Z (R11), K1, Z3
		VMINPS Z3, Z0, Z0
		VMAXPS Z3, Z1, Z1
		VFMADD231PS Z3, Z28, Z2
		reduce:
		VCMPPS $3, Z2, Z2, K1 // a NaN
		VEXTRACTF64X4 $1, Z0, Y3
		VEXTRACTF64X4 $1, Z1, Y4
		VMINPS Y3, Y0, Y0
		VMAXPS Y4, Y1, Y1
		VEXTRACTF128 $1, Y0, X3
		VEXTRACTF128 $1, Y1, X4
		VMINPS X3, X0, X0
		VMAXPS X4, X1, X1
		VPXORD X31, X0, X0
		VUNPCKLPS X1, X0, X3
		VUNPCKHPS X1, X0, X4
		VMAXPS X4, X3, X3
		VPSHUFD $0x4e, X3, X4
		VMAXPS X4, X3, X3 // low, high, low, high
		VPSHUFD $0xb1, X3, X4
		CMPQ quantise_even(DI), $0
		JEQ  uneven
		VMAXPS X4, X3, X3
		VMOVAPS X3, X4
		uneven:
		VMULSS X29, X3, X0
		VMULSS X29, X4, X4
		VADDSS X4, X0, X4
		VPXORD X5, X5, X5
		VMOVD X4, AX
		CMPL AX, $0x03aa2425 // 1e-36
		JCS  tiny
		VDIVSS X4, X30, X5
		JMP  zero
		tiny:
		VPXORD X4, X4, X4
		zero:
		VMULSS X5, X3, X3
		VCVTPS2DQ X3, X3
		VMOVD X3, AX
		CMPQ quantise_even(DI), $0
		JEQ  known
		MOVL $128, AX
		known:
		VPBROADCASTD AX, Z6
		NEGL AX
		MOVL AX, 4(BX)
		VMOVSS X4, (BX)
		KORTESTW K1, K1
		JZ   finite
		MOVL $0x7fc00000, (BX)
		finite:
		ADDQ $8, BX
		VBROADCASTSS X5, Z5
		MOVQ R9, CX
		SUBQ $16, R10
		JLT  last
		PCALIGN $32
		values:
		VMULPS (SI), Z5, Z3
		VCVTPS2DQ Z3, Z3
		VPADDD Z6, Z3, Z3
		VPMOVUSDB Z3, X3
		VMOVDQU X3, (BX)
		ADDQ $64, SI
		ADDQ $16, BX
		SUBQ $16, CX
		SUBQ $16, R10
		JGE  values
		last:
		TESTQ CX, CX
		JZ   done
		ADDQ $16, R10
		BZHIQ R10, R12, AX
		KMOVW AX, K1
		VMOVUPS.Z (SI), K1, Z3
		LEAQ (SI)(R10*4), SI
		VMULPS Z3, Z5, Z3
		VCVTPS2DQ Z3, Z3
		VPADDD Z6, Z3, Z3
		VPMOVUSDB Z3, X3
		MOVQ $16, DX
		CMPQ CX, DX
		CMOVQLT CX, DX
		BZHIQ DX, R12, AX
		KMOVW AX, K2
		VMOVDQU8 X3, K2, (BX)
		ADDQ DX, BX
		MOVQ $-16, R10 // no values are left
		SUBQ DX, CX
		JMP  last
		done:
		TESTQ R8, R8
		JNZ  group
		VZEROUPPER
		RET`)
}
