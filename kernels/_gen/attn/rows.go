package main

import "fmt"

// rows emits the loops of the row road: one query against rows of K and V.
func rows(a *asm) {
	a.tailTable()
	dots(a)
	accum(a)
}

// dots emits s[j] = q·k[j]: four keys at once, then one at a time.
func dots(a *asm) {
	a.f(`// func dots%s(s, q, k *float32, stride, n, d int)
//
// s[j] = Σ_i q[i]·k[j][i] for n keys. Lanes run along d; each key has one
// accumulator, folded at the end.
//
// DI s, SI q, R8 k, R9 stride in bytes, R10 3 of them, R11 keys left, R12 d;
// BX, AX, DX run along d.
`, a.suffix)
	a.text("dots", 48)
	a.ins("MOVQ", "d+40(FP), R12", "")
	a.ins("MOVQ", "R12, AX", "")
	a.ins("ANDQ", fmt.Sprintf("$%d, AX", a.lanes-1), "")
	a.loadTail()
	a.ins("MOVQ", "s+0(FP), DI", "")
	a.ins("MOVQ", "q+8(FP), SI", "")
	a.ins("MOVQ", "k+16(FP), R8", "")
	a.ins("MOVQ", "stride+24(FP), R9", "")
	a.ins("SHLQ", "$2, R9", "")
	a.ins("LEAQ", "(R9)(R9*2), R10", "")
	a.ins("MOVQ", "n+32(FP), R11", "")
	for _, keys := range []int{4, 1} {
		sfx := fmt.Sprint(keys)
		a.label("keys" + sfx)
		a.ins("CMPQ", fmt.Sprintf("R11, $%d", keys), "")
		if keys == 4 {
			a.ins("JLT", "keys1", "")
		} else {
			a.ins("JLT", "done", "")
		}
		addr := []string{"(BX)", "(BX)(R9*1)", "(BX)(R9*2)", "(BX)(R10*1)"}[:keys]
		a.ins("MOVQ", "SI, AX", "")
		a.ins("MOVQ", "R8, BX", "")
		for i := range keys {
			a.zero(i, "")
		}
		a.ins("MOVQ", "R12, DX", "")
		a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.lanes), "")
		a.ins("JLT", "tail"+sfx, "")
		a.label("dot" + sfx)
		a.ins("VMOVUPS", "(AX), "+a.r(4), "q")
		for i := range keys {
			a.ins("VFMADD231PS", fmt.Sprintf("%s, %s, %s", addr[i], a.r(4), a.r(i)), "")
		}
		a.ins("ADDQ", fmt.Sprintf("$%d, AX", a.bytes), "")
		a.ins("ADDQ", fmt.Sprintf("$%d, BX", a.bytes), "")
		a.ins("SUBQ", fmt.Sprintf("$%d, DX", a.lanes), "")
		a.ins("JGE", "dot"+sfx, "")
		a.label("tail" + sfx)
		a.ins("ADDQ", fmt.Sprintf("$%d, DX", a.lanes), "")
		a.ins("JZ", "fold"+sfx, "")
		a.maskedLoad("(AX)", 4, "q")
		for i := range keys {
			a.maskedLoad(addr[i], 5, "")
			a.ins("VFMADD231PS", fmt.Sprintf("%s, %s, %s", a.r(5), a.r(4), a.r(i)), "")
		}
		a.label("fold" + sfx)
		for i := range keys {
			if a.p == "Z" {
				a.ins("VEXTRACTF64X4", fmt.Sprintf("$1, Z%d, Y5", i), "")
				a.ins("VADDPS", fmt.Sprintf("Y5, Y%d, Y%d", i, i), "")
			}
			a.ins("VEXTRACTF128", fmt.Sprintf("$1, Y%d, X5", i), "")
			a.ins("VADDPS", fmt.Sprintf("X5, X%d, X%d", i, i), "")
		}
		if keys == 4 {
			a.ins("VHADDPS", "X1, X0, X0", "")
			a.ins("VHADDPS", "X3, X2, X2", "")
			a.ins("VHADDPS", "X2, X0, X0", "")
			a.ins("VMOVUPS", "X0, (DI)", "")
		} else {
			a.ins("VHADDPS", "X0, X0, X0", "")
			a.ins("VHADDPS", "X0, X0, X0", "")
			a.ins("VMOVSS", "X0, (DI)", "")
		}
		a.ins("ADDQ", fmt.Sprintf("$%d, DI", 4*keys), "")
		if keys == 4 {
			a.ins("LEAQ", "(R8)(R9*4), R8", "")
		} else {
			a.ins("ADDQ", "R9, R8", "")
		}
		a.ins("SUBQ", fmt.Sprintf("$%d, R11", keys), "")
		a.ins("JMP", "keys"+sfx, "")
	}
	a.label("done")
	a.ret()
	a.f("\n")
}

// accum emits o += Σ s[j]·v[j], 12, 4 or 1 vectors of columns at a time.
func accum(a *asm) {
	a.f(`// func accum%s(o, s, v *float32, stride, n, d int)
//
// o[i] += Σ_j s[j]·v[j][i] for n ≥ 1 keys.
//
// DI o, SI s, R8 v, R9 stride in bytes, R11 n, R12 columns left; AX, BX, DX run
// along the keys.
`, a.suffix)
	a.text("accum", 48)
	a.ins("MOVQ", "d+40(FP), R12", "")
	a.ins("MOVQ", "R12, AX", "")
	a.ins("ANDQ", fmt.Sprintf("$%d, AX", a.lanes-1), "")
	a.loadTail()
	a.ins("MOVQ", "o+0(FP), DI", "")
	a.ins("MOVQ", "s+8(FP), SI", "")
	a.ins("MOVQ", "v+16(FP), R8", "")
	a.ins("MOVQ", "stride+24(FP), R9", "")
	a.ins("SHLQ", "$2, R9", "")
	a.ins("MOVQ", "n+32(FP), R11", "")
	next := map[int]string{12: "cols4", 4: "cols1", 1: "cols0"}
	for _, vecs := range []int{12, 4, 1} {
		name := fmt.Sprintf("cols%d", vecs)
		a.label(name)
		a.ins("CMPQ", fmt.Sprintf("R12, $%d", vecs*a.lanes), "")
		a.ins("JLT", next[vecs], "")
		for i := range vecs {
			a.ins("VMOVUPS", fmt.Sprintf("%d(DI), %s", i*a.bytes, a.r(i)), "")
		}
		a.ins("MOVQ", "SI, AX", "")
		a.ins("MOVQ", "R8, BX", "")
		a.ins("MOVQ", "R11, DX", "")
		a.label("sum" + fmt.Sprint(vecs))
		a.ins("VBROADCASTSS", "(AX), "+a.r(12), "weight of key j")
		for i := range vecs {
			a.ins("VFMADD231PS", fmt.Sprintf("%d(BX), %s, %s", i*a.bytes, a.r(12), a.r(i)), "")
		}
		a.ins("ADDQ", "$4, AX", "")
		a.ins("ADDQ", "R9, BX", "")
		a.ins("DECQ", "DX", "")
		a.ins("JNZ", "sum"+fmt.Sprint(vecs), "")
		for i := range vecs {
			a.ins("VMOVUPS", fmt.Sprintf("%s, %d(DI)", a.r(i), i*a.bytes), "")
		}
		a.ins("ADDQ", fmt.Sprintf("$%d, DI", vecs*a.bytes), "")
		a.ins("ADDQ", fmt.Sprintf("$%d, R8", vecs*a.bytes), "")
		a.ins("SUBQ", fmt.Sprintf("$%d, R12", vecs*a.lanes), "")
		a.ins("JMP", name, "")
	}
	a.label("cols0")
	a.ins("TESTQ", "R12, R12", "")
	a.ins("JZ", "done", "")
	a.maskedLoad("(DI)", 0, "")
	a.label("sum0")
	a.ins("VBROADCASTSS", "(SI), "+a.r(12), "weight of key j")
	a.maskedLoad("(R8)", 1, "")
	a.ins("VFMADD231PS", fmt.Sprintf("%s, %s, %s", a.r(1), a.r(12), a.r(0)), "")
	a.ins("ADDQ", "$4, SI", "")
	a.ins("ADDQ", "R9, R8", "")
	a.ins("DECQ", "R11", "")
	a.ins("JNZ", "sum0", "")
	a.maskedStore(0, "(DI)", "")
	a.label("done")
	a.ret()
}
