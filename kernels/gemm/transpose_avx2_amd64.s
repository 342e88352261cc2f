#include "textflag.h"

// func transpose8AVX2(dst, src unsafe.Pointer, ldd, lds uintptr, blocks int)
//
// Requires: AVX2. Reads and writes no byte past an operand.
//
// dst[8i+k][r] = src[r][8i+k] for 8 rows r and i < blocks.
//
//	SI  src       R8   3 rows of src     AX  bytes from row to row of src
//	DI  dst       R9   3 rows of dst     BX  bytes from row to row of dst
//	CX  blocks left    R10 row 4 of src  R11 row 4 of dst
TEXT ·transpose8AVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ ldd+16(FP), BX
	MOVQ lds+24(FP), AX
	MOVQ blocks+32(FP), CX
	LEAQ (AX)(AX*2), R8
	LEAQ (BX)(BX*2), R9
	LEAQ (SI)(AX*4), R10
	LEAQ (DI)(BX*4), R11

block:
	// Halves: register r holds values 0-3 of row r and of row r+4; r+4: values 4-7.
	VMOVUPS     (SI), X0
	VINSERTF128 $1, (R10), Y0, Y0
	VMOVUPS     (SI)(AX*1), X1
	VINSERTF128 $1, (R10)(AX*1), Y1, Y1
	VMOVUPS     (SI)(AX*2), X2
	VINSERTF128 $1, (R10)(AX*2), Y2, Y2
	VMOVUPS     (SI)(R8*1), X3
	VINSERTF128 $1, (R10)(R8*1), Y3, Y3
	VMOVUPS     16(SI), X4
	VINSERTF128 $1, 16(R10), Y4, Y4
	VMOVUPS     16(SI)(AX*1), X5
	VINSERTF128 $1, 16(R10)(AX*1), Y5, Y5
	VMOVUPS     16(SI)(AX*2), X6
	VINSERTF128 $1, 16(R10)(AX*2), Y6, Y6
	VMOVUPS     16(SI)(R8*1), X7
	VINSERTF128 $1, 16(R10)(R8*1), Y7, Y7

	// Pairs of rows, then all four rows of a value, in both halves.
	VUNPCKLPS Y1, Y0, Y8
	VUNPCKHPS Y1, Y0, Y9
	VUNPCKLPS Y3, Y2, Y10
	VUNPCKHPS Y3, Y2, Y11
	VUNPCKLPS Y5, Y4, Y12
	VUNPCKHPS Y5, Y4, Y13
	VUNPCKLPS Y7, Y6, Y14
	VUNPCKHPS Y7, Y6, Y15
	VUNPCKLPD Y10, Y8, Y0     // value 0 of the eight rows
	VUNPCKHPD Y10, Y8, Y1     // value 1
	VUNPCKLPD Y11, Y9, Y2
	VUNPCKHPD Y11, Y9, Y3
	VUNPCKLPD Y14, Y12, Y4
	VUNPCKHPD Y14, Y12, Y5
	VUNPCKLPD Y15, Y13, Y6
	VUNPCKHPD Y15, Y13, Y7
	VMOVUPS   Y0, (DI)
	VMOVUPS   Y1, (DI)(BX*1)
	VMOVUPS   Y2, (DI)(BX*2)
	VMOVUPS   Y3, (DI)(R9*1)
	VMOVUPS   Y4, (R11)
	VMOVUPS   Y5, (R11)(BX*1)
	VMOVUPS   Y6, (R11)(BX*2)
	VMOVUPS   Y7, (R11)(R9*1)

	ADDQ $32, SI
	ADDQ $32, R10
	LEAQ (DI)(BX*8), DI
	LEAQ (R11)(BX*8), R11
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
