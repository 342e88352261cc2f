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
				f.line("VBROADCASTSS scale+48(FP), %s", f.abs(expScale))
				f.line("VBROADCASTSS top+52(FP), %s", f.abs(expTop))
				f.expLoop("", ptrs)
				f.line("VMOVSS %s, ret+56(FP)", f.x(expTotal))
				f.ret()
			}},
			{"softmaxRows", "(dst, x []float32, n int, scale float32)", "for each row of n: dst = e^((x-max x)*scale) / Σ", softmaxRows},
			{"expTotal", "(x []float32, top float32) (ret float32)", "Σ e^(x-top)", func(f *fn) {
				f.line("MOVQ x_base+0(FP), SI")
				f.line("MOVQ x_len+8(FP), CX")
				f.mov(f.c(1), f.abs(expScale))
				f.line("VBROADCASTSS top+24(FP), %s", f.abs(expTop))
				f.expLoop("", []string{"SI"})
				f.line("VMOVSS %s, ret+32(FP)", f.x(expTotal))
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
	f.line("MOVQ x_base+0(FP), SI")
	f.line("MOVQ x_len+8(FP), CX")
	f.line("VBROADCASTSS mean+24(FP), %s", f.v(9))
	for j := range 8 {
		f.zero(j)
	}
	f.light("", []string{"SI"}, func(j, off int, mask string) {
		f.load(at("SI", off), 8, mask)
		if mask != full && f.masks {
			f.line("VSUBPS.Z %s, %s, %s, %s", f.v(9), f.v(8), mask, f.v(8))
		} else {
			f.o("VSUBPS", f.v(9), f.v(8), f.v(8))
		}
		if mask != full && !f.masks {
			f.o("VANDPS", mask, f.v(8), f.v(8))
		}
		f.o("VADDPS", f.v(8), f.v(j), f.v(j))
		f.o("VFMADD231PS", f.v(8), f.v(8), f.v(4+j))
	})
	f.fold("VADDPS", 0, 8)
	f.fold("VADDPS", 4, 8)
	f.line("VMOVSS X0, sum+32(FP)")
	f.line("VMOVSS X4, sq+36(FP)")
	f.ret()
}

func normalize(f *fn) {
	ptrs := f.pointers("dst", "x", "w", "b")
	f.line("VBROADCASTSS mean+96(FP), %s", f.v(8))
	f.line("VBROADCASTSS r+100(FP), %s", f.v(9))
	f.line("VBROADCASTSS shift+104(FP), %s", f.v(7))
	f.light("", ptrs, func(j, off int, mask string) {
		f.load(at("SI", off), j, mask)
		f.o("VSUBPS", f.v(8), f.v(j), f.v(j))
		f.o("VFMADD213PS", f.v(7), f.v(9), f.v(j))
		f.load(at("R8", off), 4, mask)
		f.load(at("R9", off), 5, mask)
		f.o("VFMADD213PS", f.v(5), f.v(4), f.v(j))
		f.store(j, at("DI", off), mask)
	})
	f.ret()
}

// Registers of expLoop: the first two hold the same for all vectors.
const expTop, expScale, expTotal = 4, 5, 6

// expLoop computes e^((x-top)*scale) of CX elements at SI and leaves their sum
// in the first lane of register expTotal. With DI among ptrs it stores them.
func (f *fn) expLoop(prefix string, ptrs []string) {
	f.interleave(f.level.heavy, func(int) { f.zero(expTotal) })
	f.heavy(prefix, ptrs, f.in, func() {
		f.o("VSUBPS", f.abs(expTop), f.v(0), f.v(0))
		f.o("VMULPS", f.abs(expScale), f.v(0), f.v(0))
		f.atLeast(0, expLow, 0, 1)
		f.exp(1, 0, 1, 2, 3, true, nil)
	}, func(off int, mask string) {
		if ptrs[0] == "DI" {
			f.store(2, at("DI", off), mask)
		}
		switch {
		case mask == full:
			f.o("VADDPS", f.v(2), f.v(expTotal), f.v(expTotal))
		case f.masks:
			f.line("VADDPS %s, %s, %s, %s", f.v(2), f.v(expTotal), mask, f.v(expTotal))
		default:
			f.o("VANDPS", mask, f.v(2), f.v(2))
			f.o("VADDPS", f.v(2), f.v(expTotal), f.v(expTotal))
		}
	})
	for j := 1; j < f.level.heavy; j++ {
		f.o("VADDPS", f.abs(expTotal+j*perVector), f.v(expTotal), f.v(expTotal))
	}
	f.lanesOf("VADDPS", expTotal, 0)
}

func softmaxRows(f *fn) {
	f.line("MOVQ dst_base+0(FP), R9")
	f.line("MOVQ x_base+24(FP), R8")
	f.line("MOVQ x_len+32(FP), R11 // elements left")
	f.line("MOVQ n+48(FP), R10")
	f.label("row")
	f.line("SUBQ R10, R11")
	f.line("JLT  end")
	f.line("MOVQ R8, SI")
	f.line("MOVQ R10, CX")
	f.maxLoop("max", []string{"SI"})
	f.line("VBROADCASTSS X0, %s", f.abs(expTop))
	f.line("VBROADCASTSS scale+56(FP), %s", f.abs(expScale))
	f.line("MOVQ R9, DI")
	f.line("MOVQ R8, SI")
	f.line("MOVQ R10, CX")
	f.expLoop("", []string{"DI", "SI"})
	f.mov(f.c(1), f.v(0))
	f.line("VDIVSS %s, X0, %s", f.x(expTotal), f.x(expTotal))
	f.line("VBROADCASTSS %s, %s", f.x(expTotal), f.v(7))
	f.line("MOVQ R9, DI")
	f.line("MOVQ R10, CX")
	f.light("scale", []string{"DI"}, func(j, off int, mask string) {
		f.load(at("DI", off), j, mask)
		f.o("VMULPS", f.v(7), f.v(j), f.v(j))
		f.store(j, at("DI", off), mask)
	})
	f.line("LEAQ (R8)(R10*4), R8")
	f.line("LEAQ (R9)(R10*4), R9")
	f.line("JMP  row")
	f.label("end")
	f.ret()
}

// pixels sums over the rows of x [P,C], four vectors of channels at a time,
// then one, then the last channels.
func pixels(f *fn, deviations bool) {
	f.line("MOVQ sum_base+0(FP), DI")
	f.line("MOVQ sum_len+8(FP), CX // channels left")
	if deviations {
		f.line("MOVQ sq_base+24(FP), R8")
		f.line("MOVQ x_base+48(FP), SI")
		f.line("MOVQ x_len+56(FP), R11")
		f.line("MOVQ pivot_base+72(FP), R9")
	} else {
		f.line("MOVQ x_base+24(FP), SI")
		f.line("MOVQ x_len+32(FP), R11")
	}
	f.line("LEAQ (SI)(R11*4), R11 // end of x")
	f.line("MOVQ CX, R10")
	f.line("SHLQ $2, R10 // bytes of a pixel")
	f.columns("four", 4, deviations)
	f.columns("one", 1, deviations)
	f.columns("part", 0, deviations)
	f.label("done")
	f.ret()
}

// columns sums n vectors of channels while there are so many; 0 means the
// last channels, fewer than a vector.
func (f *fn) columns(label string, n int, deviations bool) {
	tail, mask := n == 0, full
	f.label(label)
	if tail {
		f.line("ADDQ $%d, CX", f.lanes)
		f.line("JEQ  done")
		f.tail(1)
		mask = f.mask(0)
		n = 1
	} else {
		f.line("SUBQ $%d, CX", n*f.lanes)
		f.line("JLT  %sEnd", label)
	}
	for j := range n {
		f.zero(j)
		if deviations {
			f.zero(4 + j)
			f.load(at("R9", j*f.bytes()), 8+j, mask)
		}
	}
	f.line("MOVQ SI, BX // this block of the first pixel")
	f.label(label + "Pixel")
	for j := range n {
		f.load(at("BX", j*f.bytes()), 12, mask)
		if deviations {
			f.o("VSUBPS", f.v(8+j), f.v(12), f.v(12))
			f.o("VFMADD231PS", f.v(12), f.v(12), f.v(4+j))
		}
		f.o("VADDPS", f.v(12), f.v(j), f.v(j))
	}
	f.line("ADDQ R10, BX")
	f.line("CMPQ BX, R11")
	f.line("JLT  %sPixel", label)
	for j := range n {
		f.store(j, at("DI", j*f.bytes()), mask)
		if deviations {
			f.store(4+j, at("R8", j*f.bytes()), mask)
		}
	}
	if tail {
		return
	}
	f.step(n*f.bytes(), "DI", "SI")
	if deviations {
		f.step(n*f.bytes(), "R8", "R9")
	}
	f.line("JMP  %s", label)
	f.label(label + "End")
	if n > 1 {
		f.line("ADDQ $%d, CX", n*f.lanes)
	}
}
