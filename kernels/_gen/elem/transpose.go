package main

import "fmt"

func transpose(f *fn) {
	f.line("MOVQ dst_base+0(FP), DI")
	f.line("MOVQ x_base+24(FP), SI")
	f.line("MOVQ ldd+48(FP), R8")
	f.line("MOVQ ldx+56(FP), R9")
	for _, r := range []string{"R8", "R9"} {
		f.line("SHLQ $2, %s // bytes of a row", r)
	}
	for i := range 8 {
		f.line("VMOVUPS (SI), %s", f.y(i))
		if i < 7 {
			f.line("ADDQ R9, SI")
		}
	}
	f.say("pairs of rows, then of pairs, then the halves of registers")
	for i := 0; i < 8; i += 2 {
		f.line("VUNPCKLPS %s, %s, %s", f.y(i+1), f.y(i), f.y(8+i))
		f.line("VUNPCKHPS %s, %s, %s", f.y(i+1), f.y(i), f.y(9+i))
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			f.line("VUNPCKLPD %s, %s, %s", f.y(10+i+j), f.y(8+i+j), f.y(i+2*j))
			f.line("VUNPCKHPD %s, %s, %s", f.y(10+i+j), f.y(8+i+j), f.y(i+2*j+1))
		}
	}
	for j := range 8 {
		f.line("VPERM2F128 $%s, %s, %s, %s", fmt.Sprintf("%#02x", 0x20+j/4*0x11), f.y(4+j%4), f.y(j%4), f.y(8))
		f.line("VMOVUPS %s, (DI)", f.y(8))
		if j < 7 {
			f.line("ADDQ R8, DI")
		}
	}
	f.ret()
}
