package main

import "fmt"

// fewRows are the rows from which on the kernel of int8 takes groups of
// vectorRows: fewer leave it to wait for the weights.
const fewRows = 4

// productVNNI writes the kernel of int8.
func productVNNI(w *writer) {
	w.p("// func productAVX512VNNI(t *block)")
	w.p("//")
	w.p("// Requires: AVX512_VNNI, AVX512F, BMI2. Reads whole groups of %d rows of A, of %d where no more are left.", vectorRows, fewRows)
	w.p("//")
	w.p("//	Z0-Z23  int32 sums, row i in 2i and 2i+1    Z24 Z25  four of k of the panel, later scales")
	w.p("//	Z26 Z27  four of A in every lane    Z28 Z29  products of scales")
	w.p("//	SI R8 R10 R11  rows 0, 3, 6, 9 of A    AX  stride of A    BX  panel    CX  fours left")
	w.p("//	DX  steps left    R9  where A's steps lie    R12  sums    R13  rows left    DI  t")
	w.p("//")
	w.p("//	for each group of %d rows {", vectorRows)
	w.p("//		memory = loadSums ? memory : 0")
	w.p("//		for each step { memory += float32(A · panel - 128·sums of the panel) · scale · scales }")
	w.p("//		if !storeSums { c = relu(memory + bias + res), without the rows whose pixel is negative }")
	w.p("//	}")
	w.p("TEXT ·productAVX512VNNI(SB), NOSPLIT, $0-8")
	begin(w)
	w.p("group:")
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
	w.code(fmt.Sprintf("CMPQ R13, $%d\nJLE  few", fewRows))
	w.steps("many", vectorRows)
	w.code("JMP  summed")
	w.steps("few", fewRows)
	w.p("summed:")
	w.code("MOVQ block_row(DI), SI")
	finish(w, vectorRows, "next")
	w.code("VZEROUPPER\nRET")
}

// row is the address of the first word of row r's step.
func row(r, disp int) string {
	addr := fmt.Sprintf("%d(%s)", disp, []string{"SI", "R8", "R10", "R11"}[r/3])
	if r%3 > 0 {
		addr += fmt.Sprintf("(AX*%d)", r%3)
	}
	return addr
}

// bases points at a step's first word in every third of so many rows.
func (w *writer) bases(rows int) {
	w.code(`
		MOVQ block_row(DI), SI
		ADDQ (R9), SI
		LEAQ (AX)(AX*2), CX`)
	for i, r := range []string{"R8", "R10", "R11"} {
		if 3*(i+1) < rows {
			w.code(fmt.Sprintf("LEAQ (%s)(CX*1), %s", []string{"SI", "R8", "R10"}[i], r))
		}
	}
}

// steps writes the loop over the steps for so many rows.
func (w *writer) steps(name string, rows int) {
	w.p("%s:", name)
	w.bases(rows)
	w.code("VMOVDQU32 (BX), Z0\nVMOVDQU32 64(BX), Z1")
	for i := 2; i < 2*rows; i++ {
		w.code(fmt.Sprintf("VMOVDQA32 Z%d, Z%d", i%2, i))
	}
	w.code("MOVQ block_quads(DI), CX")
	w.p("\tPCALIGN $32")
	w.p("%sQuad:", name)
	w.code("VMOVDQU32 128(BX), Z24\nVMOVDQU32 192(BX), Z25")
	for r := range rows {
		t := 26 + r%2
		w.code(fmt.Sprintf("VPBROADCASTD %s, Z%d\nVPDPBUSD Z24, Z%d, Z%d\nVPDPBUSD Z25, Z%d, Z%d", row(r, 4), t, t, 2*r, t, 2*r+1))
	}
	for i, r := range []string{"SI", "R8", "R10", "R11"} {
		if 3*i < rows {
			w.code(fmt.Sprintf("ADDQ $4, %s", r))
		}
	}
	w.code(fmt.Sprintf(`
		ADDQ $%d, BX
		DECQ CX
		JNZ  %sQuad`, panel, name))
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
		JNZ  %s`, 2*panel, name))
}

// quantise writes the rounding of a pixel's groups.
func quantise(w *writer) {
	w.p("// func quantiseAVX512(t *quantise)")
	w.p("//")
	w.p("// Requires: AVX512F, AVX512BW, AVX512VL, BMI2. Reads the values alone, writes whole groups.")
	w.p("//")
	w.p("//	Z0  magnitudes, the largest    X1  scale    Z2  its inverse    Z29 127    Z30  128 in every lane    Z31  masks of magnitudes")
	w.p("//	SI  x    BX  dst    R8  values left    R9  of a group    R10  values left of the group    CX  places left    DI  t")
	w.p("//")
	w.p("//	for each group {")
	w.p("//		most = the largest magnitude, as bits: NaNs are above infinities")
	w.p("//		scale = most finite ? most/127 : NaN; 0 if most is below 1e-36")
	w.p("//		for each value { dst = round(x · 127/most) + 128 }; 128 where the scale is 0 or NaN, and beyond the last value")
	w.p("//	}")
	w.p("TEXT ·quantiseAVX512(SB), NOSPLIT, $0-8")
	w.code(`
		MOVQ t+0(FP), DI
		MOVQ quantise_x(DI), SI
		MOVQ quantise_dst(DI), BX
		MOVQ quantise_n(DI), R8
		MOVQ quantise_deep(DI), R9
		MOVQ $-1, R12
		MOVL $0x7fffffff, AX
		VPBROADCASTD AX, Z31
		MOVL $128, AX
		VPBROADCASTD AX, Z30
		MOVL $0x42fe0000, AX // 127
		VPBROADCASTD AX, Z29
		group:
		MOVQ R9, R10
		CMPQ R8, R10
		CMOVQLT R8, R10
		SUBQ R10, R8
		VPXORD Z0, Z0, Z0
		MOVQ SI, R11
		MOVQ R10, CX
		SUBQ $16, CX
		JLT  rest
		largest:
		VPANDD (R11), Z31, Z1
		VPMAXUD Z1, Z0, Z0
		ADDQ $64, R11
		SUBQ $16, CX
		JGE  largest
		rest:
		ADDQ $16, CX
		JZ   reduce
		BZHIQ CX, R12, AX
		KMOVW AX, K1
		VMOVUPS.Z (R11), K1, Z1
		VPANDD Z1, Z31, Z1
		VPMAXUD Z1, Z0, Z0
		reduce:
		VEXTRACTI64X4 $1, Z0, Y1
		VPMAXUD Y1, Y0, Y0
		VEXTRACTI128 $1, Y0, X1
		VPMAXUD X1, X0, X0
		VPSHUFD $0x4e, X0, X1
		VPMAXUD X1, X0, X0
		VPSHUFD $0xb1, X0, X1
		VPMAXUD X1, X0, X0
		VMOVD X0, AX
		VPXORD Z2, Z2, Z2
		VPXORD X1, X1, X1
		CMPL AX, $0x7f800000
		JCC  bad
		CMPL AX, $0x03aa2425 // 1e-36
		JCS  scaled
		VDIVSS X29, X0, X1
		VDIVSS X0, X29, X2
		VBROADCASTSS X2, Z2
		JMP  scaled
		bad:
		MOVL $0x7fc00000, AX
		VMOVD AX, X1
		scaled:
		VMOVSS X1, (BX)
		ADDQ $4, BX
		MOVQ R9, CX
		SUBQ $16, R10
		JLT  last
		values:
		VMULPS (SI), Z2, Z1
		VCVTPS2DQ Z1, Z1
		VPADDD Z30, Z1, Z1 // an infinity or NaN, times zero, became 0x80000000: its low byte is that of zero
		VPMOVDB Z1, X1
		VMOVDQU X1, (BX)
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
		LEAQ (SI)(R10*4), SI
		NEGQ R10
		VMOVUPS.Z (SI)(R10*4), K1, Z1
		VMULPS Z1, Z2, Z1
		VCVTPS2DQ Z1, Z1
		VPADDD Z30, Z1, Z1
		VPMOVDB Z1, X1
		MOVQ $16, DX
		CMPQ CX, DX
		CMOVQLT CX, DX
		BZHIQ DX, R12, AX
		KMOVW AX, K2
		VMOVDQU8 X1, K2, (BX)
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
