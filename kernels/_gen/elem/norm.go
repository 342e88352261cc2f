package main

func normFiles() []file {
	return []file{
		{"norm", "rows", []kernel{
			{"deviations", "(x []float32, mean float32) (sum, sq float32)", "sum = Σ(x-mean), sq = Σ(x-mean)²", deviations},
			{"normalize", "(dst, x, w, b []float32, mean, r, shift float32)", "dst = ((x-mean)*r + shift)*w + b", normalize},
		}},
		{"norm", "softmax", []kernel{
			{"expSum", "(dst, x []float32, scale, top float32) (ret float32)", "dst = e^((x-top)*scale), the result their sum", func(f *fn) {
				ptrs := f.pointers("dst", "x")
				f.o2("VBROADCASTSS scale+48(FP), %s", f.v(8))
				f.o2("VBROADCASTSS top+52(FP), %s", f.v(9))
				f.expLoop("", ptrs)
				f.lanesOf("VADDPS", 7, 0)
				f.o2("VMOVSS X7, ret+56(FP)")
				f.ret()
			}},
			{"softmaxRow", "(dst, x []float32, scale float32)", "dst = e^((x-max x)*scale) / Σ", softmaxRow},
			{"expTotal", "(x []float32, top float32) (ret float32)", "Σ e^(x-top)", func(f *fn) {
				f.o2("MOVQ x_base+0(FP), SI")
				f.o2("MOVQ x_len+8(FP), CX")
				f.mov(f.c(1), f.v(8))
				f.o2("VBROADCASTSS top+24(FP), %s", f.v(9))
				f.expLoop("", []string{"SI"})
				f.lanesOf("VADDPS", 7, 0)
				f.o2("VMOVSS X7, ret+32(FP)")
				f.ret()
			}},
		}},
		{"norm", "pixels", []kernel{
			{"columnSums", "(sum, x []float32)", "sum[c] = Σ x[p,c] over the pixels p", func(f *fn) { pixels(f, false) }},
			{"columnDeviations", "(sum, sq, x, pivot []float32)",
				"sum[c] = Σ (x[p,c]-pivot[c]), sq[c] = Σ (x[p,c]-pivot[c])² over the pixels p", func(f *fn) { pixels(f, true) }},
		}},
	}
}

func deviations(f *fn) {
	f.o2("MOVQ x_base+0(FP), SI")
	f.o2("MOVQ x_len+8(FP), CX")
	f.o2("VBROADCASTSS mean+24(FP), %s", f.v(9))
	for j := range 8 {
		f.zero(j)
	}
	f.light("", []string{"SI"}, func(j, off int, tail bool) {
		if tail && !f.masks {
			f.load(at("SI", off), 8, true)
			f.o("VSUBPS", f.v(9), f.v(8), f.v(8))
			f.o("VANDPS", f.v(maskReg), f.v(8), f.v(8))
		} else if tail {
			f.load(at("SI", off), 8, true)
			f.o2("VSUBPS.Z %s, %s, K1, %s", f.v(9), f.v(8), f.v(8))
		} else {
			f.load(at("SI", off), 8, false)
			f.o("VSUBPS", f.v(9), f.v(8), f.v(8))
		}
		f.o("VADDPS", f.v(8), f.v(j), f.v(j))
		f.o("VFMADD231PS", f.v(8), f.v(8), f.v(4+j))
	})
	f.fold("VADDPS", 0, 8)
	f.fold("VADDPS", 4, 8)
	f.o2("VMOVSS X0, sum+32(FP)")
	f.o2("VMOVSS X4, sq+36(FP)")
	f.ret()
}

func normalize(f *fn) {
	ptrs := f.pointers("dst", "x", "w", "b")
	f.o2("VBROADCASTSS mean+96(FP), %s", f.v(8))
	f.o2("VBROADCASTSS r+100(FP), %s", f.v(9))
	f.o2("VBROADCASTSS shift+104(FP), %s", f.v(7))
	f.light("", ptrs, func(j, off int, tail bool) {
		f.load(at("SI", off), j, tail)
		f.o("VSUBPS", f.v(8), f.v(j), f.v(j))
		f.o("VFMADD213PS", f.v(7), f.v(9), f.v(j))
		f.load(at("R8", off), 4, tail)
		f.load(at("R9", off), 5, tail)
		f.o("VFMADD213PS", f.v(5), f.v(4), f.v(j))
		f.store(j, at("DI", off), tail)
	})
	f.ret()
}

// expLoop computes e^((x-r9)*r8) of CX elements at SI and adds them up by
// lanes in register 7. With DI among ptrs it stores them.
func (f *fn) expLoop(prefix string, ptrs []string) {
	stores := ptrs[0] == "DI"
	body := func() {
		f.o("VSUBPS", f.v(9), f.v(0), f.v(0))
		f.o("VMULPS", f.v(8), f.v(0), f.v(0))
		f.atLeast(0, expLow, 0, 1)
		f.exp(0, 1, 2, 3, true, nil)
	}
	f.zero(7)
	f.label(prefix + "exp")
	f.o2("SUBQ $%d, CX", f.lanes)
	f.o2("JLT  %sexpPart", prefix)
	f.load("(SI)", 0, false)
	body()
	f.o("VADDPS", f.v(2), f.v(7), f.v(7))
	if stores {
		f.store(2, "(DI)", false)
	}
	f.step(f.bytes(), ptrs...)
	f.o2("JMP  %sexp", prefix)
	f.label(prefix + "expPart")
	f.o2("ADDQ $%d, CX", f.lanes)
	f.o2("JEQ  %sexpDone", prefix)
	f.tail()
	f.load("(SI)", 0, true)
	body()
	if f.masks {
		f.o2("VADDPS %s, %s, K1, %s", f.v(2), f.v(7), f.v(7))
	} else {
		f.o("VANDPS", f.v(maskReg), f.v(2), f.v(2))
		f.o("VADDPS", f.v(2), f.v(7), f.v(7))
	}
	if stores {
		f.store(2, "(DI)", true)
	}
	f.label(prefix + "expDone")
}

func softmaxRow(f *fn) {
	f.o2("MOVQ x_base+24(FP), SI")
	f.o2("MOVQ x_len+32(FP), CX")
	f.maxLoop("max", []string{"SI"})
	f.o2("VBROADCASTSS X0, %s", f.v(9))
	ptrs := f.pointers("dst", "x")
	f.o2("VBROADCASTSS scale+48(FP), %s", f.v(8))
	f.expLoop("", ptrs)
	f.lanesOf("VADDPS", 7, 0)
	f.mov(f.c(1), f.v(0))
	f.o2("VDIVSS X7, X0, X7")
	f.o2("VBROADCASTSS X7, %s", f.v(7))
	f.o2("MOVQ dst_base+0(FP), DI")
	f.o2("MOVQ x_len+32(FP), CX")
	f.light("scale", []string{"DI"}, func(j, off int, tail bool) {
		f.load(at("DI", off), j, tail)
		f.o("VMULPS", f.v(7), f.v(j), f.v(j))
		f.store(j, at("DI", off), tail)
	})
	f.ret()
}

// pixels sums over the rows of x [P,C], four vectors of channels at a time,
// then one, then the last channels.
func pixels(f *fn, deviations bool) {
	f.o2("MOVQ sum_base+0(FP), DI")
	f.o2("MOVQ sum_len+8(FP), CX // channels left")
	if deviations {
		f.o2("MOVQ sq_base+24(FP), R8")
		f.o2("MOVQ x_base+48(FP), SI")
		f.o2("MOVQ x_len+56(FP), R11")
		f.o2("MOVQ pivot_base+72(FP), R9")
	} else {
		f.o2("MOVQ x_base+24(FP), SI")
		f.o2("MOVQ x_len+32(FP), R11")
	}
	f.o2("LEAQ (SI)(R11*4), R11 // end of x")
	f.o2("MOVQ CX, R10")
	f.o2("SHLQ $2, R10 // bytes of a pixel")
	f.columns("four", 4, deviations)
	f.columns("one", 1, deviations)
	f.columns("part", 0, deviations)
	f.label("done")
	f.ret()
}

// columns sums n vectors of channels while there are so many; 0 means the
// last channels, fewer than a vector.
func (f *fn) columns(label string, n int, deviations bool) {
	tail := n == 0
	f.label(label)
	if tail {
		f.o2("ADDQ $%d, CX", f.lanes)
		f.o2("JEQ  done")
		f.tail()
		n = 1
	} else {
		f.o2("SUBQ $%d, CX", n*f.lanes)
		f.o2("JLT  %sEnd", label)
	}
	for j := range n {
		f.zero(j)
		if deviations {
			f.zero(4 + j)
			f.load(at("R9", j*f.bytes()), 8+j, tail)
		}
	}
	f.o2("MOVQ SI, BX // this block of the first pixel")
	f.label(label + "Pixel")
	for j := range n {
		f.load(at("BX", j*f.bytes()), 12, tail)
		if deviations {
			f.o("VSUBPS", f.v(8+j), f.v(12), f.v(12))
			f.o("VFMADD231PS", f.v(12), f.v(12), f.v(4+j))
		}
		f.o("VADDPS", f.v(12), f.v(j), f.v(j))
	}
	f.o2("ADDQ R10, BX")
	f.o2("CMPQ BX, R11")
	f.o2("JLT  %sPixel", label)
	for j := range n {
		f.store(j, at("DI", j*f.bytes()), tail)
		if deviations {
			f.store(4+j, at("R8", j*f.bytes()), tail)
		}
	}
	if tail {
		return
	}
	f.step(n*f.bytes(), "DI", "SI")
	if deviations {
		f.step(n*f.bytes(), "R8", "R9")
	}
	f.o2("JMP  %s", label)
	f.label(label + "End")
	if n > 1 {
		f.o2("ADDQ $%d, CX", n*f.lanes)
	}
}
