#include "go_asm.h"
#include "textflag.h"

// Rows of a matrix [K,N] into panels, 16 columns (64 bytes of a panel) at a
// time, reading src from front to back.
//
// Requires: AVX2, F16C. Reads and writes no byte past an operand.
//
//	DI  first row of the panels, moves on by AX (a panel's row)
//	SI  row of src, moves on by BX      CX  rows left     DX  p
//	R8  within src's row                R9  pieces of 16 columns left
//	R10 within the panels               R11 R12  bytes to the odd piece, to the next pair
//
//	for each row { for each pair of pieces { panel[piece] = widen(src); panel[piece+1] = widen(src) } }

#define F32(off, y) VMOVUPS off*4(R8), y
#define F16(off, y) VCVTPH2PS off*2(R8), y
#define BF16(off, y) VPMOVZXWD off*2(R8), y; VPSLLD $16, y, y

#define PACK(load, size) \
	MOVQ packing_dst(DX), DI; \
	MOVQ packing_src(DX), SI; \
	MOVQ packing_ldd(DX), AX; \
	MOVQ packing_lds(DX), BX; \
	MOVQ packing_rows(DX), CX; \
	MOVQ packing_odd(DX), R11; \
	MOVQ packing_pair(DX), R12; \
row: \
	MOVQ SI, R8; \
	MOVQ DI, R10; \
	MOVQ packing_pieces(DX), R9; \
	SUBQ $2, R9; \
	JLT  single; \
pair: \
	PREFETCHT0 4096(R8); \
	PREFETCHT0 (4096+16*size)(R8); \
	load(0, Y0); \
	load(8, Y1); \
	load(16, Y2); \
	load(24, Y3); \
	VMOVUPS Y0, (R10); \
	VMOVUPS Y1, 32(R10); \
	VMOVUPS Y2, (R10)(R11*1); \
	VMOVUPS Y3, 32(R10)(R11*1); \
	ADDQ $(32*size), R8; \
	ADDQ R12, R10; \
	SUBQ $2, R9; \
	JGE  pair; \
single: \
	ADDQ $2, R9; \
	JZ   done; \
	load(0, Y0); \
	load(8, Y1); \
	VMOVUPS Y0, (R10); \
	VMOVUPS Y1, 32(R10); \
done: \
	ADDQ AX, DI; \
	ADDQ BX, SI; \
	DECQ CX; \
	JNZ  row; \
	VZEROUPPER; \
	RET

// func packRowsF32AVX2(p *packing)
TEXT ·packRowsF32AVX2(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), DX
	PACK(F32, 4)

// func packRowsF16AVX2(p *packing)
TEXT ·packRowsF16AVX2(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), DX
	PACK(F16, 2)

// func packRowsBF16AVX2(p *packing)
TEXT ·packRowsBF16AVX2(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), DX
	PACK(BF16, 2)
