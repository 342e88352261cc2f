package main

import "fmt"

// panel is the bytes from one pair of k to the next: 32 columns of two halves,
// and those of a row of sums: 32 floats.
const panel = 128

// begin loads what both kernels keep in registers.
func begin(w *writer) {
	w.code(`
		MOVQ t+0(FP), DI
		MOVQ block_a(DI), SI
		MOVQ block_lda(DI), AX
		MOVQ block_rows(DI), R13
		MOVQ block_sums(DI), R12
		MOVQ block_ahead(DI), R15
		MOVQ block_cols(DI), R10
		MOVQ $-1, R11
		BZHIQ R10, R11, R11 // as many ones as columns
		KMOVW R11, K1
		SHRQ $16, R11
		KMOVW R11, K2`)
}

// fetch asks for the lines of the results and residuals of a group's rows: a
// store that misses all caches would wait longer than a product takes.
func fetch(w *writer, rows int) {
	w.code(fmt.Sprintf(`
		TESTQ $const_storeSums|const_stream, block_flags(DI)
		JNZ  fetched
		MOVQ $%d, CX
		CMPQ R13, CX
		CMOVQLT R13, CX
		MOVQ block_pixel(DI), R9
		fetch:
		MOVLQSX (R9), R10
		TESTQ R10, R10
		JLT  far
		MOVQ block_ldc(DI), R11
		IMULQ R10, R11
		ADDQ block_c(DI), R11`, rows))
	w.prefetchW("R11", 0)
	w.prefetchW("R11", 64)
	w.code(`
		TESTQ $const_addResidual, block_flags(DI)
		JZ   far
		MOVQ block_ldr(DI), R11
		IMULQ R10, R11
		ADDQ block_res(DI), R11
		PREFETCHT0 (R11)
		PREFETCHT0 64(R11)
		far:
		ADDQ $4, R9
		DECQ CX
		JNZ  fetch
		fetched:`)
}

// finish writes the epilogue of one group of rows: those of R13 that are left,
// rows at most, from the sums at R12.
func finish(w *writer, rows int, next string) {
	w.code(fmt.Sprintf(`
		TESTQ $const_storeSums, block_flags(DI)
		JNZ  %s
		VPXORD Z30, Z30, Z30
		VPXORD Z28, Z28, Z28
		VPXORD Z29, Z29, Z29
		MOVQ block_bias(DI), R10
		TESTQ R10, R10
		JZ   unbiased
		VMOVUPS.Z (R10), K1, Z28
		VMOVUPS.Z 64(R10), K2, Z29
		unbiased:
		MOVQ $%d, CX
		CMPQ R13, CX
		CMOVQLT R13, CX
		MOVQ block_pixel(DI), R9
		MOVQ R12, BX
		row:
		MOVLQSX (R9), R10
		TESTQ R10, R10
		JLT  skip // a row that is no result
		VADDPS (BX), Z28, Z0
		VADDPS 64(BX), Z29, Z1
		TESTQ $const_addResidual, block_flags(DI)
		JZ   alone
		MOVQ block_ldr(DI), R11
		IMULQ R10, R11
		ADDQ block_res(DI), R11
		VADDPS (R11), Z0, K1, Z0
		VADDPS 64(R11), Z1, K2, Z1
		alone:
		TESTQ $const_doReLU, block_flags(DI)
		JZ   store
		VMAXPS Z0, Z30, Z0 // NaN, the second operand, stays
		VMAXPS Z1, Z30, Z1
		store:
		MOVQ block_ldc(DI), R11
		IMULQ R10, R11
		ADDQ block_c(DI), R11
		TESTQ $const_stream, block_flags(DI)
		JNZ  past
		VMOVUPS Z0, K1, (R11)
		VMOVUPS Z1, K2, 64(R11)
		JMP  skip
		past:
		VMOVNTPS Z0, (R11)
		VMOVNTPS Z1, 64(R11)
		skip:
		ADDQ $4, R9
		ADDQ $%d, BX
		DECQ CX
		JNZ  row`, next, rows, panel))
	w.p("%s:", next)
	w.code(fmt.Sprintf(`
		MOVQ AX, R10
		IMULQ $%d, R10
		ADDQ R10, SI
		ADDQ block_sumStep(DI), R12
		ADDQ $%d, block_pixel(DI)
		SUBQ $%d, R13
		JG   group
		TESTQ $const_stream, block_flags(DI)
		JZ   ordered
		SFENCE // before others are told that the results are there
		ordered:`, rows, 4*rows, rows))
}

// configuration writes the tiles' shapes.
func configuration(w *writer) {
	w.p(`// tiles configures eight tiles of 16 rows of 64 bytes, palette 1.`)
	w.p("DATA tiles<>+0(SB)/8, $1")
	w.p("DATA tiles<>+8(SB)/8, $0")
	w.p("DATA tiles<>+16(SB)/8, $0x0040004000400040")
	w.p("DATA tiles<>+24(SB)/8, $0x0040004000400040")
	w.p("DATA tiles<>+32(SB)/8, $0")
	w.p("DATA tiles<>+40(SB)/8, $0")
	w.p("DATA tiles<>+48(SB)/8, $0x1010101010101010")
	w.p("DATA tiles<>+56(SB)/8, $0")
	w.p("GLOBL tiles<>(SB), RODATA|NOPTR, $64")
	w.p("")
}

// productAMX writes the kernel on tiles: 2×2 of them are the sums of 32 rows
// and 32 columns.
func productAMX(w *writer) {
	configuration(w)
	w.p("// func productAMXBF16(t *block)")
	w.p("//")
	w.p("// Requires: AMX-TILE, AMX-BF16, AVX512F, BMI2, and the system's leave. Reads whole")
	w.p("// groups of 16 rows of A. The tiles' state lives from here to the RET: Go code")
	w.p("// would lose it.")
	w.p("//")
	w.p("//	T0 T1  sums of rows 0-15    T2 T3  of rows 16-31    T4 T5  panel    T6 T7  A")
	w.p("//	SI R8  rows 0 and 16 of A    AX  stride of A    BX  panel    CX  steps of 32 k left")
	w.p("//	DX  128    R9  where A's steps lie    R12  sums    R13  rows left    R15  what to fetch    DI  t")
	w.p("//")
	w.p("//	for each group of 32 rows {")
	w.p("//		sums = loadSums ? memory : 0")
	w.p("//		for each 32 of k { sums += A · panel }")
	w.p("//		memory = sums")
	w.p("//		if !storeSums { c = relu(sums + bias + res), without the rows whose pixel is negative }")
	w.p("//	}")
	w.p("TEXT ·productAMXBF16(SB), NOSPLIT, $0-8")
	begin(w)
	w.code("LEAQ tiles<>(SB), R10")
	w.tileConfig("R10")
	w.code("MOVQ $128, DX")
	w.p("group:")
	fetch(w, 32)
	w.code(`
		MOVQ AX, R8
		SHLQ $4, R8
		ADDQ SI, R8
		MOVQ block_b(DI), BX
		MOVQ block_k(DI), CX
		MOVQ block_off(DI), R9
		TESTQ $const_loadSums, block_flags(DI)
		JNZ  load`)
	for t := range 4 {
		w.tileZero(t)
	}
	w.code("JMP begin")
	w.p("load:")
	for t := range 4 {
		w.tileLoad(t, "R12", t/2*16*panel+t%2*64, "DX")
	}
	w.p("begin:")
	w.code(`
		CMPQ R13, $16
		JLE  few`)
	w.p("\tPCALIGN $32")
	w.p("many:")
	w.code("MOVQ (R9), R10")
	w.code("LEAQ (SI)(R10*1), R11")
	w.tileLoad(4, "BX", 0, "DX")
	w.tileLoad(6, "R11", 0, "AX")
	w.tileProduct(0, 6, 4)
	w.tileLoad(5, "BX", 64, "DX")
	w.tileProduct(1, 6, 5)
	w.code("ADDQ R8, R10")
	w.tileLoad(7, "R10", 0, "AX")
	w.tileProduct(2, 7, 4)
	w.tileProduct(3, 7, 5)
	w.code(fmt.Sprintf(`
		PREFETCHT1 (R15)
		PREFETCHT1 64(R15)
		PREFETCHT1 128(R15)
		PREFETCHT1 192(R15)
		ADDQ block_aheadStep(DI), R15
		ADDQ $%d, BX
		ADDQ $8, R9
		DECQ CX
		JNZ  many`, 16*panel))
	for t := range 4 {
		w.tileStore(t, "R12", t/2*16*panel+t%2*64, "DX")
	}
	w.code("JMP summed")
	w.p("few: // at most 16 rows are left: one row of tiles")
	w.code("MOVQ (R9), R10")
	w.code("ADDQ SI, R10")
	w.tileLoad(4, "BX", 0, "DX")
	w.tileLoad(6, "R10", 0, "AX")
	w.tileProduct(0, 6, 4)
	w.tileLoad(5, "BX", 64, "DX")
	w.tileProduct(1, 6, 5)
	w.code(fmt.Sprintf(`
		ADDQ $%d, BX
		ADDQ $8, R9
		DECQ CX
		JNZ  few`, 16*panel))
	for t := range 2 {
		w.tileStore(t, "R12", t*64, "DX")
	}
	w.p("summed:")
	finish(w, 32, "next")
	w.tileRelease()
	w.code(`
		MOVQ R15, block_ahead(DI)
		VZEROUPPER
		RET`)
}

// vectorRows are the rows of a group of the kernel on vectors: 24 sums.
const vectorRows = 12

// thirds are the registers that point at rows 0, 3, 6 and 9 of A.
var thirds = []string{"SI", "R8", "R10", "R11"}

// row is the address of the first word of row r's step.
func row(r, disp int) string {
	addr := fmt.Sprintf("%d(%s)", disp, thirds[r/3])
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
	for i := 1; 3*i < rows; i++ {
		w.code(fmt.Sprintf("LEAQ (%s)(CX*1), %s", thirds[i-1], thirds[i]))
	}
}

// advance goes on to the next word of so many rows.
func (w *writer) advance(rows int) {
	for i := 0; 3*i < rows; i++ {
		w.code("ADDQ $4, " + thirds[i])
	}
}

// productAVX512 writes the kernel on vectors.
func productAVX512(w *writer) {
	w.p("// func productAVX512BF16(t *block)")
	w.p("//")
	w.p("// Requires: AVX512_BF16, AVX512F, BMI2. Reads whole groups of %d rows of A.", vectorRows)
	w.p("//")
	w.p("//	Z0-Z23  sums, row i in 2i and 2i+1    Z24 Z25  a pair of k of the panel")
	w.p("//	Z26 Z27  a pair of A in every lane")
	w.p("//	SI R8 R10 R11  rows 0, 3, 6, 9 of A    AX  stride of A    BX  panel    CX  pairs left of 16")
	w.p("//	DX  steps of 32 k left    R9  where A's steps lie    R12  sums    R13  rows left    R15  what to fetch    DI  t")
	w.p("//")
	w.p("// The loop is that of productAMXBF16, with groups of %d rows.", vectorRows)
	w.p("TEXT ·productAVX512BF16(SB), NOSPLIT, $0-8")
	begin(w)
	w.p("group:")
	w.code(`
		MOVQ block_b(DI), BX
		MOVQ block_k(DI), DX
		MOVQ block_off(DI), R9
		MOVQ SI, block_row(DI)
		TESTQ $const_loadSums, block_flags(DI)
		JNZ  load`)
	for i := range 2 * vectorRows {
		w.code(fmt.Sprintf("VPXORD Z%d, Z%d, Z%d", i, i, i))
	}
	w.code("JMP step")
	w.p("load:")
	for i := range 2 * vectorRows {
		w.code(fmt.Sprintf("VMOVUPS %d(R12), Z%d", 64*i, i))
	}
	w.p("step:")
	w.bases(vectorRows)
	w.code("ADDQ $8, R9\nMOVQ $16, CX")
	w.p("\tPCALIGN $32")
	w.p("pair:")
	w.code("VMOVUPS (BX), Z24\nVMOVUPS 64(BX), Z25")
	for r := range vectorRows {
		t := 26 + r%2
		w.code(fmt.Sprintf("VPBROADCASTD %s, Z%d", row(r, 0), t))
		w.dot(24, t, 2*r)
		w.dot(25, t, 2*r+1)
	}
	w.advance(vectorRows)
	w.code(fmt.Sprintf(`
		ADDQ $%d, BX
		DECQ CX
		JNZ  pair
		DECQ DX
		JNZ  step
		MOVQ block_row(DI), SI`, panel))
	for i := range 2 * vectorRows {
		w.code(fmt.Sprintf("VMOVUPS Z%d, %d(R12)", i, 64*i))
	}
	finish(w, vectorRows, "next")
	w.code("VZEROUPPER")
	w.code("RET")
}
