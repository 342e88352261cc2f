package main

import "fmt"

// scores emits QKᵀ: keys are broadcast, queries lie on the lanes.
func scores(a *asm) {
	for vecs := 1; vecs <= 3; vecs++ {
		row := vecs * a.bytes
		acc := func(i, j int) string { return a.r(i*vecs + j) }
		q := func(j int) string { return a.r(a.rows*vecs + j) }
		key := a.r(a.rows*vecs + vecs)
		a.f(`// func scores%d%s(s, q, k *float32, stride, n, d int)
//
// s[j][lane] = Σ_i k[j][i]·q[i][lane] for n keys, %d vectors of queries.
//
// DI s, SI q, R8 k, R9 stride in bytes, R10 3 of them, R11 keys left, R12 d;
// AX, BX, CX, DX run along d.
//
//	for n ≥ %d { %d keys at once; a last partial group starts early and writes again }
//	else { one key at a time }
`, vecs, a.suffix, vecs, a.rows, a.rows)
		a.text(fmt.Sprintf("scores%d", vecs), 48)
		a.ins("MOVQ", "s+0(FP), DI", "")
		a.ins("MOVQ", "q+8(FP), SI", "")
		a.ins("MOVQ", "k+16(FP), R8", "")
		a.ins("MOVQ", "stride+24(FP), R9", "")
		a.ins("SHLQ", "$2, R9", "")
		a.ins("LEAQ", "(R9)(R9*2), R10", "")
		a.ins("MOVQ", "n+32(FP), R11", "")
		a.ins("MOVQ", "d+40(FP), R12", "")
		a.ins("CMPQ", fmt.Sprintf("R11, $%d", a.rows), "")
		a.ins("JLT", "single", "")

		addr := []string{"(BX)", "(BX)(R9*1)", "(BX)(R9*2)", "(BX)(R10*1)", "(CX)", "(CX)(R9*1)", "(CX)(R9*2)", "(CX)(R10*1)"}
		a.label("group")
		a.ins("MOVQ", "SI, AX", "")
		a.ins("MOVQ", "R8, BX", "")
		if a.rows > 4 {
			a.ins("LEAQ", "(R8)(R9*4), CX", "")
		}
		a.ins("MOVQ", "R12, DX", "")
		for i := range a.rows * vecs {
			a.zero(i, "")
		}
		a.f("\n\tPCALIGN $32\n")
		a.label("dot")
		for j := range vecs {
			a.ins("VMOVUPS", fmt.Sprintf("%d(AX), %s", j*a.bytes, q(j)), "queries at i")
		}
		for i := range a.rows {
			a.ins("VBROADCASTSS", fmt.Sprintf("%s, %s", addr[i], key), fmt.Sprintf("key %d at i", i))
			for j := range vecs {
				a.ins("VFMADD231PS", fmt.Sprintf("%s, %s, %s", q(j), key, acc(i, j)), "")
			}
		}
		a.ins("ADDQ", fmt.Sprintf("$%d, AX", row), "")
		a.ins("ADDQ", "$4, BX", "")
		if a.rows > 4 {
			a.ins("ADDQ", "$4, CX", "")
		}
		a.ins("DECQ", "DX", "")
		a.ins("JNZ", "dot", "")
		a.f("\n")
		for i := range a.rows {
			for j := range vecs {
				a.ins("VMOVUPS", fmt.Sprintf("%s, %d(DI)", acc(i, j), i*row+j*a.bytes), "")
			}
		}
		a.ins("SUBQ", fmt.Sprintf("$%d, R11", a.rows), "")
		a.ins("JZ", "done", "")
		a.ins("MOVQ", fmt.Sprintf("$%d, R13", a.rows), "")
		a.ins("CMPQ", "R11, R13", "")
		a.ins("JGE", "next", "")
		a.ins("MOVQ", "R11, R13", "the last group overlaps the one before")
		a.ins("MOVQ", fmt.Sprintf("$%d, R11", a.rows), "")
		a.label("next")
		a.ins("MOVQ", "R13, AX", "")
		a.ins("IMULQ", "R9, AX", "")
		a.ins("ADDQ", "AX, R8", "")
		a.ins("IMUL3Q", fmt.Sprintf("$%d, R13, R13", row), "")
		a.ins("ADDQ", "R13, DI", "")
		a.ins("JMP", "group", "")

		a.label("single")
		a.ins("TESTQ", "R11, R11", "")
		a.ins("JZ", "done", "")
		a.ins("MOVQ", "SI, AX", "")
		a.ins("MOVQ", "R8, BX", "")
		a.ins("MOVQ", "R12, DX", "")
		for j := range vecs {
			a.zero(j, "")
		}
		a.label("dot1")
		a.ins("VBROADCASTSS", "(BX), "+key, "the key at i")
		for j := range vecs {
			a.ins("VFMADD231PS", fmt.Sprintf("%d(AX), %s, %s", j*a.bytes, key, a.r(j)), "")
		}
		a.ins("ADDQ", fmt.Sprintf("$%d, AX", row), "")
		a.ins("ADDQ", "$4, BX", "")
		a.ins("DECQ", "DX", "")
		a.ins("JNZ", "dot1", "")
		for j := range vecs {
			a.ins("VMOVUPS", fmt.Sprintf("%s, %d(DI)", a.r(j), j*a.bytes), "")
		}
		a.ins("ADDQ", "R9, R8", "")
		a.ins("ADDQ", fmt.Sprintf("$%d, DI", row), "")
		a.ins("DECQ", "R11", "")
		a.ins("JMP", "single", "")

		a.label("done")
		a.ret()
		a.f("\n")
	}
}

// values emits P·V: values are broadcast, queries lie on the lanes.
func values(a *asm) {
	for vecs := 1; vecs <= 3; vecs++ {
		row := vecs * a.bytes
		acc := func(i, j int) string { return a.r(i*vecs + j) }
		p := func(j int) string { return a.r(a.rows*vecs + j) }
		value := a.r(a.rows*vecs + vecs)
		a.f(`// func values%d%s(o, s, v, corr *float32, stride, n, d int)
//
// o[i][lane] = o[i][lane]·corr[lane] + Σ_j s[j][lane]·v[j][i] for n ≥ 1 keys,
// %d vectors of queries. The sum starts at 0: adding 4096 keys to o one after
// the other had three times the error.
//
// DI o, SI s, R8 v, R9 stride in bytes, R10 corr, R11 n, R12 columns left;
// AX, BX, DX run along the keys.
//
//	for columns ≥ %d { %d columns at once } ; for the rest { one column }
`, vecs, a.suffix, vecs, a.rows, a.rows)
		a.text(fmt.Sprintf("values%d", vecs), 56)
		a.ins("MOVQ", "o+0(FP), DI", "")
		a.ins("MOVQ", "s+8(FP), SI", "")
		a.ins("MOVQ", "v+16(FP), R8", "")
		a.ins("MOVQ", "corr+24(FP), R10", "")
		a.ins("MOVQ", "stride+32(FP), R9", "")
		a.ins("SHLQ", "$2, R9", "")
		a.ins("MOVQ", "n+40(FP), R11", "")
		a.ins("MOVQ", "d+48(FP), R12", "")
		a.ins("SUBQ", fmt.Sprintf("$%d, R12", a.rows), "")
		a.ins("JLT", "tail", "")
		for _, rows := range []int{a.rows, 1} {
			group, loop := "group", "sum"
			if rows == 1 {
				group, loop = "single", "sum1"
				a.label("tail")
				a.ins("ADDQ", fmt.Sprintf("$%d, R12", a.rows), "")
				a.ins("JZ", "done", "")
			}
			a.label(group)
			for i := range rows * vecs {
				a.zero(i, "")
			}
			a.ins("MOVQ", "SI, AX", "")
			a.ins("MOVQ", "R8, BX", "")
			a.ins("MOVQ", "R11, DX", "")
			a.f("\n\tPCALIGN $32\n")
			a.label(loop)
			for j := range vecs {
				a.ins("VMOVUPS", fmt.Sprintf("%d(AX), %s", j*a.bytes, p(j)), "weights of key j")
			}
			for i := range rows {
				a.ins("VBROADCASTSS", fmt.Sprintf("%d(BX), %s", 4*i, value), fmt.Sprintf("value of key j, column %d", i))
				for j := range vecs {
					a.ins("VFMADD231PS", fmt.Sprintf("%s, %s, %s", p(j), value, acc(i, j)), "")
				}
			}
			a.ins("ADDQ", fmt.Sprintf("$%d, AX", row), "")
			a.ins("ADDQ", "R9, BX", "")
			a.ins("DECQ", "DX", "")
			a.ins("JNZ", loop, "")
			a.f("\n")
			for j := range vecs {
				a.ins("VMOVUPS", fmt.Sprintf("%d(R10), %s", j*a.bytes, p(j)), "corr")
			}
			for i := range rows {
				for j := range vecs {
					a.ins("VFMADD231PS", fmt.Sprintf("%d(DI), %s, %s", i*row+j*a.bytes, p(j), acc(i, j)), "")
					a.ins("VMOVUPS", fmt.Sprintf("%s, %d(DI)", acc(i, j), i*row+j*a.bytes), "")
				}
			}
			a.ins("ADDQ", fmt.Sprintf("$%d, DI", rows*row), "")
			a.ins("ADDQ", fmt.Sprintf("$%d, R8", 4*rows), "")
			a.ins("SUBQ", fmt.Sprintf("$%d, R12", rows), "")
			if rows == 1 {
				a.ins("JNZ", group, "")
			} else {
				a.ins("JGE", group, "")
			}
		}
		a.label("done")
		a.ret()
		a.f("\n")
	}
}
