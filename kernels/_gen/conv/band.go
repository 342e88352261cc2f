package main

import "fmt"

// bandTile emits the product of a tile of outputs that reads its receptive
// fields in place: rows x two vectors of sums.
func (e *emitter) bandTile() {
	rows, in := 14, []string{"SI", "R8", "R9", "R10", "R11"}
	if e.lanes == 8 {
		rows, in = 6, in[:2]
	}
	bx, by, t := 2*rows, 2*rows+1, 2*rows+2
	e.b.WriteString("\n")
	e.p(`// func bandTile%[1]s(c []float32, ldc int, a []float32, step, runs, run, runStep int, b, bias []float32, relu bool)
		//
		//	V0-V%[2]d  sums, output i in 2i and 2i+1   V%[3]d V%[4]d  row k of the panel   V%[5]d V%[6]d  a in every lane
		//	SI R8-R11  outputs 0, 3, 6, 9, 12 of a   AX  step   BX  panel   DX  runs left   CX  of the run left
		//	R12  run   R13  from a run's end to the next   DI R15  c, ldc
		//
		//	for runs { for run { sum[i] += a[i*step] * b } }; c[i*ldc] = relu(sum[i] + bias), %[7]d outputs
		TEXT ·bandTile%[1]s(SB), NOSPLIT, $0-137
		MOVQ a_base+32(FP), SI
		MOVQ step+56(FP), AX
		MOVQ runs+64(FP), DX
		MOVQ run+72(FP), R12
		MOVQ runStep+80(FP), R13
		MOVQ b_base+88(FP), BX
		SUBQ R12, R13
		SHLQ $2, R13
		SHLQ $2, AX
		LEAQ (AX)(AX*2), CX`, e.symbol, bx-1, bx, by, t, t+1, rows)
	for i := 1; i < len(in); i++ {
		e.p("LEAQ (%s)(CX*1), %s", in[i-1], in[i])
	}
	for i := range bx {
		e.p("VXORPS V%d, V%d, V%d", i, i, i)
	}
	e.p("runs:\nMOVQ R12, CX\nstep:\nVMOVUPS (BX), V%d\nVMOVUPS WIDTH(BX), V%d", bx, by)
	for i := range rows {
		at := []string{"(%s)", "(%s)(AX*1)", "(%s)(AX*2)"}[i%3]
		r := t + i%2
		e.p("VBROADCASTSS %s, V%d\nVFMADD231PS V%d, V%d, V%d\nVFMADD231PS V%d, V%d, V%d", fmt.Sprintf(at, in[i/3]), r, bx, r, 2*i, by, r, 2*i+1)
	}
	for _, p := range in {
		e.p("ADDQ $4, %s", p)
	}
	e.p("ADDQ $2*WIDTH, BX\nDECQ CX\nJNZ step")
	for _, p := range in {
		e.p("ADDQ R13, %s", p)
	}
	e.p(`DECQ DX
		JNZ runs
		MOVQ c_base+0(FP), DI
		MOVQ ldc+24(FP), R15
		SHLQ $2, R15
		MOVQ bias_base+112(FP), BX
		TESTQ BX, BX
		JEQ activation
		VMOVUPS (BX), V%d
		VMOVUPS WIDTH(BX), V%d`, bx, by)
	for i := range rows {
		e.p("VADDPS V%d, V%d, V%d\nVADDPS V%d, V%d, V%d", bx, 2*i, 2*i, by, 2*i+1, 2*i+1)
	}
	e.p("activation:\nCMPB relu+136(FP), $0\nJEQ save\nVXORPS V%d, V%d, V%d", t, t, t)
	for i := range bx {
		e.p("VMAXPS V%d, V%d, V%d // NaN, the second operand, stays", i, t, i)
	}
	e.p("save:")
	for i := range rows {
		e.p("VMOVUPS V%d, (DI)\nVMOVUPS V%d, WIDTH(DI)\nADDQ R15, DI", 2*i, 2*i+1)
	}
	e.p("VZEROUPPER\nRET")
}
