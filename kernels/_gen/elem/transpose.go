package main

import "fmt"

func transpose(f *fn) {
	f.o2("MOVQ dst_base+0(FP), DI")
	f.o2("MOVQ x_base+24(FP), SI")
	f.o2("MOVQ ldd+48(FP), R8")
	f.o2("MOVQ ldx+56(FP), R9")
	for _, r := range []string{"R8", "R9"} {
		f.o2("SHLQ $2, %s // bytes of a row", r)
	}
	for i := range 8 {
		f.o2("VMOVUPS (SI), %s", f.y(i))
		if i < 7 {
			f.o2("ADDQ R9, SI")
		}
	}
	f.say("pairs of rows, then of pairs, then the halves of registers")
	for i := 0; i < 8; i += 2 {
		f.o2("VUNPCKLPS %s, %s, %s", f.y(i+1), f.y(i), f.y(8+i))
		f.o2("VUNPCKHPS %s, %s, %s", f.y(i+1), f.y(i), f.y(9+i))
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			f.o2("VUNPCKLPD %s, %s, %s", f.y(10+i+j), f.y(8+i+j), f.y(i+2*j))
			f.o2("VUNPCKHPD %s, %s, %s", f.y(10+i+j), f.y(8+i+j), f.y(i+2*j+1))
		}
	}
	for j := range 8 {
		f.o2("VPERM2F128 $%s, %s, %s, %s", fmt.Sprintf("%#02x", 0x20+j/4*0x11), f.y(4+j%4), f.y(j%4), f.y(8))
		f.o2("VMOVUPS %s, (DI)", f.y(8))
		if j < 7 {
			f.o2("ADDQ R8, DI")
		}
	}
	f.ret()
}
