package main

import (
	"fmt"
	"math"
)

// The points of F4, as in kernels/conv/winograd.go.
const (
	a = 0.625
	b = 1.5
)

// The constants of the two transforms, in the order of their registers.
var (
	inputConsts  = []float32{a * a * b * b, a*a + b*b, a * a, b * b, a, b}
	outputConsts = []float32{a, b, a * a, b * b, a * a * a, b * b * b}
)

func (e *emitter) transforms() {
	e.data("in4", inputConsts)
	e.data("out4", outputConsts)
	e.input(6)
	e.output(6)
	e.input(4)
	e.output(4)
}

// weightConsts are the factors of the taps, as in kernels/conv/taps.go: the
// point 0, then even, odd and square part of the pairs ±a and ±b.
var weightConsts = []float32{
	float32(1 / (a * a * b * b)),
	float32(1 / da), float32(a / da), float32(a * a / da),
	float32(1 / db), float32(b / db), float32(b * b / db),
}

// The products of a point's distances to the other points.
const (
	da = 2 * a * a * (a*a - b*b)
	db = 2 * b * b * (b*b - a*a)
)

func (e *emitter) weightTransforms() {
	e.data("weights4", weightConsts)
	e.data("weights2", []float32{0.5})
	e.weights(6)
	e.weights(4)
}

// gt emits the transform of V0 to V2 and returns the result's registers.
func (e *emitter) gt(n int) []int {
	if n == 4 {
		e.p(`VMULPS V15, V0, V3
			VMULPS V15, V1, V5
			VFMADD231PS V15, V2, V3 // the even part
			VADDPS V5, V3, V4
			VSUBPS V5, V3, V3`)
		return []int{0, 4, 3, 2}
	}
	e.p(`VMULPS V9, V0, V3 // the point 0
		VMULPS V10, V0, V4
		VMULPS V11, V1, V5 // the odd part of ±a
		VFMADD231PS V12, V2, V4 // the even one
		VADDPS V5, V4, V6
		VSUBPS V5, V4, V4
		VMULPS V13, V0, V7
		VMULPS V14, V1, V5
		VFMADD231PS V15, V2, V7
		VADDPS V5, V7, V8
		VSUBPS V5, V7, V7`)
	return []int{3, 6, 4, 8, 7, 2}
}

// weights emits the transform of 3 x 3 taps to n x n points.
func (e *emitter) weights(n int) {
	f := fmt.Sprintf("weightsF%d", n-2)
	e.b.WriteString("\n")
	e.p(`// func %[1]s%[2]s(dst []float32, plane int, src []float32, row, col, n int)
		//
		//	SI  src, column  R8  row  R12  col
		//	DI  dst  AX BX  plane, 3 planes  R10 R11  %[3]d and %[4]d planes
		//	CX DX R13 R15  temporary  n+72(FP)  values left, whole vectors
		//
		//	for i in values { for s { dst[.,s] = G·src[.,s] }; for u { dst[u,.] = dst[u,.]·Gt } }
		TEXT ·%[1]s%[2]s(SB), NOSPLIT, $0-80
		MOVQ dst_base+0(FP), DI
		MOVQ plane+24(FP), AX
		MOVQ src_base+32(FP), SI
		MOVQ row+56(FP), R8
		MOVQ col+64(FP), R12
		SHLQ $2, AX
		SHLQ $2, R8
		SHLQ $2, R12
		LEAQ (AX)(AX*2), BX`, f, e.symbol, n, 3*n)
	if n == 6 {
		e.p("LEAQ (BX)(BX*1), R10")
		for i := range weightConsts {
			e.p("VBROADCASTSS weights4<>+%d(SB), V%d", 4*i, 9+i)
		}
	} else {
		e.p("LEAQ (AX)(BX*1), R10")
		e.p("VBROADCASTSS weights2<>+0(SB), V15")
	}
	e.p(`LEAQ (R10)(R10*2), R11
		values:
		MOVQ DI, DX
		MOVQ SI, R13
		MOVQ $3, R15
		columns:
		VMOVUPS (R13), V0
		VMOVUPS (R13)(R8*1), V1
		VMOVUPS (R13)(R8*2), V2`)
	out := e.gt(n)
	for i, at := range e.lines("DX", "R10", "R11", n) {
		e.p("VMOVUPS V%d, %s", out[i], at)
	}
	e.p(`ADDQ R12, R13
		ADDQ AX, DX
		DECQ R15
		JNZ columns
		MOVQ DI, DX
		MOVQ $%d, R15
		rows:`, n)
	at := e.lines("DX", "AX", "BX", n)
	for i := range 3 {
		e.p("VMOVUPS %s, V%d", at[i], i)
	}
	out = e.gt(n)
	for i := range at {
		e.p("VMOVUPS V%d, %s", out[i], at[i])
	}
	e.p(`ADDQ R10, DX
		DECQ R15
		JNZ rows
		ADDQ $WIDTH, SI
		ADDQ $WIDTH, DI
		SUBQ $%d, n+72(FP)
		JG values
		VZEROUPPER
		RET`, e.lanes)
}

func (e *emitter) data(name string, v []float32) {
	e.b.WriteString("\n")
	for i, c := range v {
		fmt.Fprintf(&e.b, "DATA %s<>+%d(SB)/4, $0x%08x // %v\n", name, 4*i, math.Float32bits(c), c)
	}
	fmt.Fprintf(&e.b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 4*len(v))
}

// lines returns n addresses that are step apart from base: step is in reg,
// three times step in reg3. The last of six goes through CX.
func (e *emitter) lines(base, reg, reg3 string, n int) []string {
	at := []string{
		fmt.Sprintf("(%s)", base), fmt.Sprintf("(%s)(%s*1)", base, reg), fmt.Sprintf("(%s)(%s*2)", base, reg),
		fmt.Sprintf("(%s)(%s*1)", base, reg3), fmt.Sprintf("(%s)(%s*4)", base, reg), fmt.Sprintf("(CX)(%s*2)", reg),
	}
	if n == 6 {
		e.p("LEAQ (%s)(%s*1), CX", base, reg3)
	}
	return at[:n]
}

// bt emits the transform of V0..V(n-1) and returns the result's registers.
func (e *emitter) bt(n int) []int {
	if n == 4 {
		e.p(`VSUBPS V2, V0, V4
			VADDPS V2, V1, V5
			VSUBPS V1, V2, V6
			VSUBPS V1, V3, V7`)
		return []int{4, 5, 6, 7}
	}
	e.p(`VMOVAPS V4, V6
		VMOVAPS V3, V7
		VMOVAPS V4, V8
		VMOVAPS V3, V9
		VFNMADD231PS V13, V2, V6 // the even part of ±b, d4 - b²d2
		VFNMADD231PS V13, V1, V7 // the odd one over b
		VFNMADD231PS V12, V2, V8 // the even part of ±a
		VFNMADD231PS V12, V1, V9
		VFNMADD231PS V11, V2, V4
		VFNMADD231PS V11, V3, V5
		VFMADD231PS V10, V0, V4 // the points 0
		VFMADD231PS V10, V1, V5 // and infinity
		VMOVAPS V6, V0
		VMOVAPS V8, V1
		VFMADD231PS V14, V7, V0
		VFNMADD231PS V14, V7, V6
		VFMADD231PS V15, V9, V1
		VFNMADD231PS V15, V9, V8`)
	return []int{4, 0, 6, 1, 8, 5}
}

// at emits the transform of V0..V(n-1) to V0..; V10 to V15 hold constants.
func (e *emitter) at(n int) {
	if n == 4 {
		e.p(`VADDPS V2, V1, V4
			VSUBPS V2, V1, V5
			VADDPS V4, V0, V0
			VADDPS V3, V5, V1`)
		return
	}
	e.p(`VADDPS V2, V1, V6 // m1+m2
		VSUBPS V2, V1, V7
		VADDPS V4, V3, V8
		VSUBPS V4, V3, V9
		VADDPS V6, V0, V0
		VMULPS V10, V7, V1
		VMULPS V12, V6, V2
		VMOVAPS V5, V3
		VFMADD231PS V14, V7, V3
		VADDPS V8, V0, V0
		VFMADD231PS V11, V9, V1
		VFMADD231PS V13, V8, V2
		VFMADD231PS V15, V9, V3`)
}

// input emits the input transform of tiles of n x n pixels.
func (e *emitter) input(n int) {
	f := fmt.Sprintf("inputF%d", n-2)
	e.b.WriteString("\n")
	e.p(`// func %[1]s%[2]s(dst []float32, plane int, src []float32, row, col, c int)
		//
		//	SI  src, column  R8 R9  row, 3 rows  R12  col
		//	DI  dst  AX BX  plane, 3 planes  R10 R11  %[3]d and %[4]d planes
		//	CX DX R13 R15  temporary  c+72(FP)  channels left, whole vectors
		//
		//	for i in channels { for s { dst[.,s] = Bt·src[.,s] }; for u { dst[u,.] = dst[u,.]·B } }
		//
		// Between the passes the tile lies in dst itself.
		TEXT ·%[1]s%[2]s(SB), NOSPLIT, $0-80
		MOVQ dst_base+0(FP), DI
		MOVQ plane+24(FP), AX
		MOVQ src_base+32(FP), SI
		MOVQ row+56(FP), R8
		MOVQ col+64(FP), R12
		SHLQ $2, AX
		SHLQ $2, R8
		SHLQ $2, R12
		LEAQ (AX)(AX*2), BX
		LEAQ (R8)(R8*2), R9`, f, e.symbol, n, 3*n)
	if n == 6 {
		e.p("LEAQ (BX)(BX*1), R10")
		e.consts("in4")
	} else {
		e.p("LEAQ (AX)(BX*1), R10")
	}
	e.p("LEAQ (R10)(R10*2), R11")
	e.p("channels:")
	e.p(`MOVQ DI, DX
		MOVQ SI, R13
		MOVQ $%d, R15
		columns:`, n)
	for i, at := range e.lines("R13", "R8", "R9", n) {
		e.p("VMOVUPS %s, V%d", at, i)
	}
	out := e.bt(n)
	for i, at := range e.lines("DX", "R10", "R11", n) {
		e.p("VMOVUPS V%d, %s", out[i], at)
	}
	e.p(`ADDQ R12, R13
		ADDQ AX, DX
		DECQ R15
		JNZ columns
		MOVQ DI, DX
		MOVQ $%d, R15
		rows:`, n)
	at := e.lines("DX", "AX", "BX", n)
	for i := range at {
		e.p("VMOVUPS %s, V%d", at[i], i)
	}
	out = e.bt(n)
	for i := range at {
		e.p("VMOVUPS V%d, %s", out[i], at[i])
	}
	e.p(`ADDQ R10, DX
		DECQ R15
		JNZ rows
		ADDQ $WIDTH, SI
		ADDQ $WIDTH, DI
		SUBQ $%d, c+72(FP)
		JG channels
		VZEROUPPER
		RET`, e.lanes)
}

func (e *emitter) consts(name string) {
	for i := range 6 {
		e.p("VBROADCASTSS %s<>+%d(SB), V%d", name, 4*i, 10+i)
	}
}

// output emits the output transform of n x n products.
func (e *emitter) output(n int) {
	m := n - 2
	f := fmt.Sprintf("outputF%d", m)
	e.b.WriteString("\n")
	e.p(`// func %[1]s%[2]s(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)
		//
		//	SI  m  AX BX  plane, 3 planes  R10 R11  %[3]d and %[4]d planes
		//	DI  dst  R13  res  R8  row  R9  col  R12  3 col  DX  bias
		//	CX R15  temporary  n+120(FP)  channels left, whole vectors
		//
		//	for i in channels { for s { m[.,s] = At·m[.,s] }; for r { dst[r,.] = max(m[r,.]·A + bias + res[r,.], floor) } }
		//
		// m is overwritten between the passes.
		TEXT ·%[1]s%[2]s(SB), NOSPLIT, $0-129
		MOVQ dst_base+0(FP), DI
		MOVQ row+24(FP), R8
		MOVQ col+32(FP), R9
		MOVQ m_base+40(FP), SI
		MOVQ plane+64(FP), AX
		MOVQ bias_base+72(FP), DX
		MOVQ res_base+96(FP), R13
		SHLQ $2, AX
		SHLQ $2, R8
		SHLQ $2, R9
		LEAQ (AX)(AX*2), BX
		LEAQ (R9)(R9*2), R12`, f, e.symbol, n, 3*n)
	if n == 6 {
		e.p("LEAQ (BX)(BX*1), R10")
	} else {
		e.p("LEAQ (AX)(BX*1), R10")
	}
	e.p("LEAQ (R10)(R10*2), R11")
	if n == 6 {
		e.consts("out4")
	}
	e.p("channels:")
	e.p("MOVQ $%d, R15\ncolumns:", n)
	for i, at := range e.lines("SI", "R10", "R11", n) {
		e.p("VMOVUPS %s, V%d", at, i)
	}
	e.at(n)
	for i, at := range e.lines("SI", "R10", "R11", m) {
		e.p("VMOVUPS V%d, %s", i, at)
	}
	e.p(`ADDQ AX, SI
		DECQ R15
		JNZ columns
		SUBQ R10, SI
		MOVQ $%d, R15
		rows:`, m)
	for i, at := range e.lines("SI", "AX", "BX", n) {
		e.p("VMOVUPS %s, V%d", at, i)
	}
	e.at(n)
	e.p("CMPQ bias_base+72(FP), $0\nJEQ residual")
	e.p("VMOVUPS %s, V%d", "(DX)", 6)
	for i := range m {
		e.p("VADDPS V6, V%d, V%d", i, i)
	}
	e.p("residual:\nCMPQ res_base+96(FP), $0\nJEQ activation")
	for i, at := range []string{"(R13)", "(R13)(R9*1)", "(R13)(R9*2)", "(R13)(R12*1)"}[:m] {
		e.p("VMOVUPS %s, V%d", at, 6)
		e.p("VADDPS V6, V%d, V%d", i, i)
	}
	e.p("activation:\nCMPB relu+128(FP), $0\nJEQ save\nVXORPS V6, V6, V6")
	for i := range m {
		e.p("VMAXPS V%d, V6, V%d // NaN, the second operand, stays", i, i)
	}
	e.p("save:")
	for i, at := range []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R12*1)"}[:m] {
		e.p("VMOVUPS V%d, %s", i, at)
	}
	e.p(`ADDQ R10, SI
		ADDQ R8, DI
		ADDQ R8, R13
		DECQ R15
		JNZ rows
		MOVQ R10, CX
		SHLQ $%[1]d, CX
		SUBQ CX, SI
		MOVQ R8, CX
		SHLQ $%[1]d, CX
		SUBQ CX, DI
		SUBQ CX, R13
		ADDQ $WIDTH, SI
		ADDQ $WIDTH, DI
		ADDQ $WIDTH, R13
		ADDQ $WIDTH, DX
		SUBQ $%[2]d, n+120(FP)
		JG channels
		VZEROUPPER
		RET`, m/2, e.lanes)
}
