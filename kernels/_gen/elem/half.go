package main

// halfKernels convert whole vectors only: the Go side does the last elements,
// since AVX2 has no masked access to 16-bit words.
func halfKernels() []kernel {
	const from, to = signature("(dst []float32, src []byte)"), signature("(dst []byte, src []float32)")
	return []kernel{
		{"fromF16", from, "dst = src; len(dst) is a multiple of the lanes", func(f *fn) {
			f.halves("dst_len+8(FP)", f.bytes(), f.bytes()/2, func() {
				f.line("VCVTPH2PS (SI), %s", f.v(0))
				f.line("VMOVUPS %s, (DI)", f.v(0))
			})
		}},
		{"toF16", to, "dst = src rounded to nearest even; len(src) is a multiple of the lanes", func(f *fn) {
			f.halves("src_len+32(FP)", f.bytes()/2, f.bytes(), func() {
				f.load("(SI)", 0, full)
				f.line("VCVTPS2PH $0, %s, (DI)", f.v(0))
			})
		}},
		{"fromBF16", from, "dst = src << 16; len(dst) is a multiple of the lanes", func(f *fn) {
			f.halves("dst_len+8(FP)", f.bytes(), f.bytes()/2, func() {
				f.line("VPMOVZXWD (SI), %s", f.v(0))
				f.o("VPSLLD", "$16", f.v(0), f.v(0))
				f.line("VMOVUPS %s, (DI)", f.v(0))
			})
		}},
		{"toBF16", to, "dst = (src + 0x7fff + bit 16) >> 16, NaN made quiet; len(src) is a multiple of the lanes", func(f *fn) {
			f.halves("src_len+32(FP)", f.bytes()/2, f.bytes(), f.toBF16)
		}},
	}
}

// halves loops over whole vectors; dst and src step by their own sizes.
func (f *fn) halves(count string, dst, src int, body func()) {
	f.line("MOVQ dst_base+0(FP), DI")
	f.line("MOVQ src_base+24(FP), SI")
	f.line("MOVQ %s, CX", count)
	f.label("loop")
	f.line("SUBQ $%d, CX", f.lanes)
	f.line("JLT  done")
	body()
	f.step(dst, "DI")
	f.step(src, "SI")
	f.line("JMP  loop")
	f.label("done")
	f.ret()
}

func (f *fn) toBF16() {
	f.load("(SI)", 0, full)
	f.o("VPSRLD", "$16", f.v(0), f.v(1))
	f.o(f.pick("VPAND", "VPANDD"), f.cbits(1), f.v(1), f.v(1))
	f.o("VPADDD", f.cbits(0x7fff), f.v(1), f.v(1))
	f.o("VPADDD", f.v(0), f.v(1), f.v(1))
	f.say("NaN: its own bits with the quiet bit")
	if f.masks {
		f.o("VCMPPS", "$3", f.v(0), f.v(0), "K1")
		f.line("VPORD %s, %s, K1, %s", f.cbits(1<<22), f.v(0), f.v(1))
		f.o("VPSRLD", "$16", f.v(1), f.v(1))
		f.line("VPMOVDW %s, (DI)", f.v(1))
		return
	}
	f.o("VCMPPS", "$3", f.v(0), f.v(0), f.v(2))
	f.o("VORPS", f.cbits(1<<22), f.v(0), f.v(0))
	f.o("VBLENDVPS", f.v(2), f.v(0), f.v(1), f.v(1))
	f.o("VPSRLD", "$16", f.v(1), f.v(1))
	f.o("VEXTRACTI128", "$1", f.v(1), f.x(2))
	f.o("VPACKUSDW", f.x(2), f.x(1), f.x(1))
	f.line("VMOVUPS X1, (DI)")
}

func (f *fn) pick(avx2, avx512 string) string {
	if f.masks {
		return avx512
	}
	return avx2
}
