package main

// copyRuns emits the gathering of receptive fields.
func (e *emitter) copyRuns() {
	e.b.WriteString("\n")
	e.p(`// func copyRuns%[1]s(dst, src []float32, dstStep, srcStep, n, runs, run, runStep int)
		//
		//	DI SI  dst, src of the output   R8 R9  their steps   R10  outputs left
		//	BX  src of the run   R11  runs left   R12  runStep   R13  run
		//	DX AX  dst and src of the piece   CX  floats left
		//
		//	for n { for runs { copy(dst, src, run); dst += run; src += runStep } }
		TEXT ·copyRuns%[1]s(SB), NOSPLIT, $0-96
		MOVQ dst_base+0(FP), DI
		MOVQ src_base+24(FP), SI
		MOVQ dstStep+48(FP), R8
		MOVQ srcStep+56(FP), R9
		MOVQ n+64(FP), R10
		MOVQ run+80(FP), R13
		MOVQ runStep+88(FP), R12
		SHLQ $2, R8
		SHLQ $2, R9
		SHLQ $2, R12`, e.symbol)
	if e.masked() {
		e.p(`MOVQ R13, CX
			ANDQ $15, CX
			MOVQ $-1, R15
			SHLQ CX, R15
			NOTQ R15
			KMOVW R15, K1 // the floats past the last whole vector
			CMPQ R13, $16
			JLT  outputs
			CMPQ R13, $32
			JLE  pairs`)
	}
	e.p(`outputs:
		MOVQ DI, DX
		MOVQ SI, BX
		MOVQ runs+72(FP), R11
		runs:
		MOVQ BX, AX
		MOVQ R13, CX
		SUBQ $%[1]d, CX
		JLT  vectors
		four:
		VMOVUPS (AX), V0
		VMOVUPS WIDTH(AX), V1
		VMOVUPS 2*WIDTH(AX), V2
		VMOVUPS 3*WIDTH(AX), V3
		VMOVUPS V0, (DX)
		VMOVUPS V1, WIDTH(DX)
		VMOVUPS V2, 2*WIDTH(DX)
		VMOVUPS V3, 3*WIDTH(DX)
		ADDQ $4*WIDTH, AX
		ADDQ $4*WIDTH, DX
		SUBQ $%[1]d, CX
		JGE  four
		vectors:
		ADDQ $%[2]d, CX
		JLT  tail
		one:
		VMOVUPS (AX), V0
		VMOVUPS V0, (DX)
		ADDQ $WIDTH, AX
		ADDQ $WIDTH, DX
		SUBQ $%[3]d, CX
		JGE  one
		tail:
		ADDQ $%[3]d, CX
		JEQ  next`, 4*e.lanes, 3*e.lanes, e.lanes)
	if e.masked() {
		e.p(`VMOVUPS.Z (AX), K1, V0
			VMOVUPS V0, K1, (DX)
			LEAQ (DX)(CX*4), DX`)
	} else {
		e.p(`CMPQ R13, $8
			JLT  short
			LEAQ (AX)(CX*4), AX // the last 8 floats again, some for the second time
			LEAQ (DX)(CX*4), DX
			VMOVUPS -32(AX), Y0
			VMOVUPS Y0, -32(DX)
			JMP  next
			short:
			VMOVSS (AX), X0
			VMOVSS X0, (DX)
			ADDQ $4, AX
			ADDQ $4, DX
			DECQ CX
			JNZ  short`)
	}
	e.p(`next:
		ADDQ R12, BX
		DECQ R11
		JNZ  runs
		ADDQ R8, DI
		ADDQ R9, SI
		DECQ R10
		JNZ  outputs
		VZEROUPPER
		RET`)
	if e.masked() {
		e.pairs()
	}
}

// pairs emits copyRuns for 16 to 32 floats: the first and the last 16. A first
// layer has such runs, 7 taps of 3 channels.
func (e *emitter) pairs() {
	e.p(`pairs:
		SHLQ $2, R13
		short:
		MOVQ DI, DX
		MOVQ SI, BX
		MOVQ runs+72(FP), R11
		pair:
		VMOVUPS (BX), V0
		VMOVUPS -64(BX)(R13*1), V1
		VMOVUPS V0, (DX)
		VMOVUPS V1, -64(DX)(R13*1)
		ADDQ R13, DX
		ADDQ R12, BX
		DECQ R11
		JNZ  pair
		ADDQ R8, DI
		ADDQ R9, SI
		DECQ R10
		JNZ  short
		VZEROUPPER
		RET`)
}

// maxTaps emits the maximum over a window.
func (e *emitter) maxTaps() {
	e.b.WriteString("\n")
	e.p(`// func maxTaps%[1]s(dst, src []float32, kh, kw, row, col, c int)
		//
		//	DI SI  dst, src of the channels   R8 R9  row, col   R10 R11  taps left
		//	AX BX  src of the tap, of its row   CX R15  temporary   c+80(FP)  channels left
		//
		//	for i in channels { max = src[0,0]; for kh, kw { max = NaN-keeping max(max, src[kh,kw]) } }
		TEXT ·maxTaps%[1]s(SB), NOSPLIT, $0-88
		MOVQ dst_base+0(FP), DI
		MOVQ src_base+24(FP), SI
		MOVQ row+64(FP), R8
		MOVQ col+72(FP), R9
		SHLQ $2, R8
		SHLQ $2, R9
		channels:`, e.symbol)
	e.mask("c+80(FP)", "full")
	e.load("(SI)", 0)
	e.p(`MOVQ SI, BX
		MOVQ kh+48(FP), R10
		rows:
		MOVQ BX, AX
		MOVQ kw+56(FP), R11
		columns:`)
	e.load("(AX)", 1)
	if e.masked() {
		e.p(`VCMPPS $3, V0, V0, K2
			VMAXPS V1, V0, V1 // a NaN tap, the second operand, wins
			VMOVAPS V0, K2, V1 // an earlier NaN stays
			VMOVAPS V1, V0`)
	} else {
		e.p(`VCMPPS $3, V0, V0, V2
			VMAXPS V1, V0, V1 // a NaN tap, the second operand, wins
			VBLENDVPS V2, V0, V1, V0 // an earlier NaN stays`)
	}
	e.p(`ADDQ R9, AX
		DECQ R11
		JNZ  columns
		ADDQ R8, BX
		DECQ R10
		JNZ  rows`)
	e.store(0, "(DI)")
	e.p(`ADDQ $WIDTH, SI
		ADDQ $WIDTH, DI
		SUBQ $%d, c+80(FP)
		JG   channels
		VZEROUPPER
		RET`, e.lanes)
}
