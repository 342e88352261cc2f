package main

import "fmt"

// transpose emits the transposition of square blocks on the way in (queries to
// lanes) and out.
func transpose(a *asm) {
	a.tailTable()
	a.f(`// func transpose%s(dst, src, c *float32, dstRow, srcRow, dstStep, srcStep, cols, out int)
//
// Blocks of %dx%d: dst[j][i] = src[i][j]·c[j], for cols columns; the last block
// may be partial. out = 0: src holds queries, its last block is %d rows of
// cols%%%d floats (what it gives beyond them is 0); out = 1: dst does, and c is
// per column of src. Rows and steps from block to block are in floats.
//
// DI dst, SI src, R8 c, R9 dstRow, R10 srcRow, R11 dstStep, R12 srcStep (bytes),
// DX columns left.
`, a.suffix, a.lanes, a.lanes, a.lanes, a.lanes)
	a.text("transpose", 72)
	for i, arg := range []string{"dst+0(FP), DI", "src+8(FP), SI", "c+16(FP), R8", "dstRow+24(FP), R9", "srcRow+32(FP), R10", "dstStep+40(FP), R11", "srcStep+48(FP), R12", "cols+56(FP), DX"} {
		a.ins("MOVQ", arg, "")
		if i >= 3 && i < 7 {
			a.ins("SHLQ", "$2, "+arg[len(arg)-3:], "")
		}
	}
	a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.lanes), "")
	a.ins("JLT", "tail", "")
	a.label("block")
	a.block(false, false)
	a.ins("ADDQ", "R11, DI", "")
	a.ins("ADDQ", "R12, SI", "")
	a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.lanes), "")
	a.ins("JGE", "block", "")
	a.label("tail")
	a.ins("MOVQ", "DX, AX", "")
	a.ins("ADDQ", fmt.Sprintf("$%d, AX", a.lanes), "")
	a.ins("JZ", "done", "")
	a.loadTail()
	a.ins("MOVQ", "out+64(FP), AX", "")
	a.ins("TESTQ", "AX, AX", "")
	a.ins("JNZ", "tailOut", "")
	a.block(true, false)
	a.ins("JMP", "done", "")
	a.label("tailOut")
	a.block(false, true)
	a.label("done")
	a.ret()
}

// rowAddrs calls f with the address of each row of a block: base is kept in AX,
// stride in reg, 3 strides in BX.
func (a *asm) rowAddrs(base, stride string, f func(i int, mem string)) {
	a.ins("MOVQ", base+", AX", "")
	a.ins("LEAQ", fmt.Sprintf("(%s)(%s*2), BX", stride, stride), "")
	for i := range a.lanes {
		f(i, []string{"(AX)", fmt.Sprintf("(AX)(%s*1)", stride), fmt.Sprintf("(AX)(%s*2)", stride), "(AX)(BX*1)"}[i%4])
		if i%4 == 3 && i+1 < a.lanes {
			a.ins("LEAQ", fmt.Sprintf("(AX)(%s*4), AX", stride), "")
		}
	}
}

// block transposes one block; the loads or the stores may be masked. AVX2's
// mask sits in Y15, so its blocks use Y0 to Y14.
func (a *asm) block(maskIn, maskOut bool) {
	n := a.lanes
	factor := a.r(n)
	a.ins("VMOVUPS", "(R8), "+factor, "c")
	a.rowAddrs("SI", "R10", func(i int, mem string) {
		if maskIn {
			a.maskedLoad(mem, i, "")
			a.ins("VMULPS", fmt.Sprintf("%s, %s, %s", a.r(i), factor, a.r(i)), "")
			return
		}
		a.ins("VMULPS", fmt.Sprintf("%s, %s, %s", mem, factor, a.r(i)), "")
	})
	var out []int
	if a.p == "Z" {
		out = a.shuffle16()
	} else {
		out = a.shuffle8()
	}
	a.rowAddrs("DI", "R9", func(i int, mem string) {
		if maskOut {
			a.maskedStore(out[i], mem, "")
			return
		}
		a.ins("VMOVUPS", fmt.Sprintf("%s, %s", a.r(out[i]), mem), "")
	})
}

// shuffle16 transposes Z0..Z15; the result's row i is in register out[i].
func (a *asm) shuffle16() (out []int) {
	z := func(op string, x, y, to int, note string) {
		a.ins(op, fmt.Sprintf("Z%d, Z%d, Z%d", y, x, to), note)
	}
	// Pairs of rows, then pairs of pairs: afterwards register 4g+c holds, in
	// its 128-bit lane k, column 4k+c of rows 4g..4g+3.
	for i := 0; i < 16; i += 2 {
		z("VUNPCKLPS", i, i+1, 16+i, fmt.Sprintf("rows %d and %d", i, i+1))
		z("VUNPCKHPS", i, i+1, 17+i, "")
	}
	for g := 0; g < 16; g += 4 {
		z("VUNPCKLPD", 16+g, 18+g, g, fmt.Sprintf("rows %d to %d", g, g+3))
		z("VUNPCKHPD", 16+g, 18+g, g+1, "")
		z("VUNPCKLPD", 17+g, 19+g, g+2, "")
		z("VUNPCKHPD", 17+g, 19+g, g+3, "")
	}
	sh := func(imm, x, y, to int, note string) {
		a.ins("VSHUFF32X4", fmt.Sprintf("$0x%02x, Z%d, Z%d, Z%d", imm, y, x, to), note)
	}
	for c := range 4 {
		// Lanes {0,2} and {1,3} of row groups 0|1 and 2|3.
		sh(0x88, c, 4+c, 16+c, fmt.Sprintf("column %d and its fourths", c))
		sh(0xdd, c, 4+c, 20+c, "")
		sh(0x88, 8+c, 12+c, 24+c, "")
		sh(0xdd, 8+c, 12+c, 28+c, "")
	}
	out = make([]int, 16)
	for c := range 4 {
		sh(0x88, 16+c, 24+c, c, fmt.Sprintf("columns %d, %d, %d, %d", c, 8+c, 4+c, 12+c))
		sh(0xdd, 16+c, 24+c, 8+c, "")
		sh(0x88, 20+c, 28+c, 4+c, "")
		sh(0xdd, 20+c, 28+c, 12+c, "")
	}
	for i := range out {
		out[i] = i
	}
	return out
}

// shuffle8 transposes Y0..Y7 with Y8..Y11 as scratch.
func (a *asm) shuffle8() (out []int) {
	y := func(op string, p, q, to int, note string) {
		a.ins(op, fmt.Sprintf("Y%d, Y%d, Y%d", q, p, to), note)
	}
	// unpack pairs in place: low into scratch, high into the second row.
	for i := 0; i < 8; i += 2 {
		y("VUNPCKLPS", i, i+1, 8+i/2, fmt.Sprintf("rows %d and %d", i, i+1))
		y("VUNPCKHPS", i, i+1, i+1, "")
	}
	// now low pairs in 8..11, high pairs in 1,3,5,7; 0,2,4,6 and 12.. are free
	y("VUNPCKLPD", 8, 9, 0, "rows 0 to 3")
	y("VUNPCKHPD", 8, 9, 2, "")
	y("VUNPCKLPD", 1, 3, 8, "")
	y("VUNPCKHPD", 1, 3, 9, "")
	y("VUNPCKLPD", 10, 11, 4, "rows 4 to 7")
	y("VUNPCKHPD", 10, 11, 6, "")
	y("VUNPCKLPD", 5, 7, 10, "")
	y("VUNPCKHPD", 5, 7, 11, "")
	low, high := [4]int{0, 2, 8, 9}, [4]int{4, 6, 10, 11}
	free := [4]int{1, 3, 5, 7}
	out = make([]int, 8)
	for c := range 4 {
		a.ins("VPERM2F128", fmt.Sprintf("$0x20, Y%d, Y%d, Y%d", high[c], low[c], free[c]), fmt.Sprintf("columns %d and %d", c, c+4))
		a.ins("VPERM2F128", fmt.Sprintf("$0x31, Y%d, Y%d, Y%d", high[c], low[c], low[c]), "")
		out[c], out[c+4] = free[c], low[c]
	}
	return out
}
