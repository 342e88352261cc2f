package main

import "math"

func elemFiles() []file {
	return []file{
		{"elem", "sigmoid", []kernel{
			{"relu", "(dst, x []float32)", "dst = max(x, 0), NaN stays", func(f *fn) {
				ptrs := f.pointers("dst", "x")
				f.zero(8)
				f.light("", ptrs, func(j, off int, mask string) {
					f.load(at("SI", off), j, mask)
					f.o("VMAXPS", f.v(j), f.v(8), f.v(j))
					f.store(j, at("DI", off), mask)
				})
				f.ret()
			}},
			unary("sigmoid", "dst = 1/(1 + e^-x)", func(f *fn) { f.sigmoid(0, 1, 0) }),
			unary("silu", "dst = x σ(x)", func(f *fn) { f.silu(1) }),
			unary("quickGELU", "dst = x σ(1.702 x)", func(f *fn) { f.silu(1.702) }),
		}},
		{"elem", "tanh", []kernel{
			unary("geluTanh", "dst = 0.5x(1 + tanh(√(2/π)(x + 0.044715x³)))", (*fn).geluTanh),
			unary("tanh", "dst = tanh(x)", (*fn).tanh),
		}},
		{"elem", "gelu", []kernel{
			unary("gelu", "dst = x Φ(x)", (*fn).gelu),
			{"geluMul", "(dst, x, y []float32)", "dst = gelu(x) * y", func(f *fn) {
				ptrs := f.pointers("dst", "x", "y")
				f.heavy("", ptrs, f.in, f.gelu, func(off int, mask string) {
					f.load(at("R8", off), 1, mask)
					f.o("VMULPS", f.v(1), f.v(0), f.v(0))
					f.out(off, mask)
				})
				f.ret()
			}},
		}},
		{"elem", "explog", []kernel{
			unary("exp", "dst = e^x", (*fn).expFull),
			unary("log", "dst = log(x)", (*fn).log),
		}},
		{"elem", "arith", []kernel{
			zip("add", "dst = x + y", "VADDPS"),
			zip("sub", "dst = x - y", "VSUBPS"),
			zip("mul", "dst = x * y", "VMULPS"),
			{"affine", "(dst, x []float32, s, t float32)", "dst = x*s + t", func(f *fn) {
				ptrs := f.pointers("dst", "x")
				f.line("VBROADCASTSS s+48(FP), %s", f.v(8))
				f.line("VBROADCASTSS t+52(FP), %s", f.v(9))
				f.light("", ptrs, func(j, off int, mask string) {
					f.load(at("SI", off), j, mask)
					f.o("VFMADD213PS", f.v(9), f.v(8), f.v(j))
					f.store(j, at("DI", off), mask)
				})
				f.ret()
			}},
			{"axpy", "(dst, x []float32, s float32)", "dst += x*s", func(f *fn) {
				ptrs := f.pointers("dst", "x")
				f.line("VBROADCASTSS s+48(FP), %s", f.v(8))
				f.light("", ptrs, func(j, off int, mask string) {
					f.load(at("SI", off), j, mask)
					f.load(at("DI", off), j+4, mask)
					f.o("VFMADD231PS", f.v(8), f.v(j), f.v(j+4))
					f.store(j+4, at("DI", off), mask)
				})
				f.ret()
			}},
			{"affineRows", "(dst, x, s, t []float32)", "for each row of len(s) elements: dst = x*s + t", affineRows},
		}},
		{"elem", "reduce", []kernel{
			{"sum", "(x []float32) (ret float32)", "four vectors of partial sums, joined pairwise", func(f *fn) {
				f.line("MOVQ x_base+0(FP), SI")
				f.line("MOVQ x_len+8(FP), CX")
				f.sumLoop([]string{"SI"}, func(j, off int, mask string) {
					f.load(at("SI", off), 4+j, mask)
					f.o("VADDPS", f.v(4+j), f.v(j), f.v(j))
				})
				f.line("VMOVSS X0, ret+24(FP)")
				f.ret()
			}},
			{"dot", "(x, y []float32) (ret float32)", "as sum, of x*y", func(f *fn) {
				f.line("MOVQ x_base+0(FP), SI")
				f.line("MOVQ x_len+8(FP), CX")
				f.line("MOVQ y_base+24(FP), DI")
				f.sumLoop([]string{"SI", "DI"}, func(j, off int, mask string) {
					f.load(at("SI", off), 4+j, mask)
					f.load(at("DI", off), 8, mask)
					f.o("VFMADD231PS", f.v(8), f.v(4+j), f.v(j))
				})
				f.line("VMOVSS X0, ret+48(FP)")
				f.ret()
			}},
			{"max", "(x []float32) (ret float32)", "the largest element; NaN if there is one", maxKernel},
			{"findGreater", "(x []float32, than float32) (ret int)", "the first i with x[i] > than or NaN, else len(x)", findGreater},
		}},
		{"elem", "half", halfKernels()},
		{"elem", "transpose", []kernel{{"transpose", "(dst, x []float32, ldd, ldx int)",
			"dst[j*ldd+i] = x[i*ldx+j] for i, j < 8; a tile of 8 for either level: its loads and stores set the pace", transpose}}},
	}
}

// pointers loads the bases of slices that are the first parameters, and the
// length of the second, into CX.
func (f *fn) pointers(names ...string) []string {
	regs := []string{"DI", "SI", "R8", "R9"}[:len(names)]
	for i, n := range names {
		f.line("MOVQ %s_base+%d(FP), %s", n, 24*i, regs[i])
	}
	f.line("MOVQ x_len+32(FP), CX")
	return regs
}

// in and out move register 0 of a heavy loop between memory at SI and DI.
func (f *fn) in(off int, mask string)  { f.load(at("SI", off), 0, mask) }
func (f *fn) out(off int, mask string) { f.store(0, at("DI", off), mask) }

func unary(name, doc string, body func(f *fn)) kernel {
	return kernel{name, "(dst, x []float32)", doc, func(f *fn) {
		ptrs := f.pointers("dst", "x")
		f.heavy("", ptrs, f.in, func() { body(f) }, f.out)
		f.ret()
	}}
}

func zip(name, doc, op string) kernel {
	return kernel{name, "(dst, x, y []float32)", doc, func(f *fn) {
		ptrs := f.pointers("dst", "x", "y")
		f.light("", ptrs, func(j, off int, mask string) {
			f.load(at("SI", off), j, mask)
			if mask != full {
				f.load(at("R8", off), 4, mask)
				f.o(op, f.v(4), f.v(j), f.v(j))
			} else {
				f.line("%s %s, %s, %s", op, at("R8", off), f.v(j), f.v(j))
			}
			f.store(j, at("DI", off), mask)
		})
		f.ret()
	}}
}

func affineRows(f *fn) {
	f.line("MOVQ dst_base+0(FP), DI")
	f.line("MOVQ x_base+24(FP), SI")
	f.line("MOVQ x_len+32(FP), BX // elements left")
	f.line("MOVQ s_len+56(FP), R10 // C")
	f.label("row")
	f.line("SUBQ R10, BX")
	f.line("JLT  end")
	f.line("MOVQ s_base+48(FP), R8")
	f.line("MOVQ t_base+72(FP), R9")
	f.line("MOVQ R10, CX")
	f.light("", []string{"DI", "SI", "R8", "R9"}, func(j, off int, mask string) {
		f.load(at("SI", off), j, mask)
		f.load(at("R8", off), 4+j, mask)
		if mask != full {
			f.load(at("R9", off), 8, mask)
			f.o("VFMADD213PS", f.v(8), f.v(4+j), f.v(j))
		} else {
			f.line("VFMADD213PS %s, %s, %s", at("R9", off), f.v(4+j), f.v(j))
		}
		f.store(j, at("DI", off), mask)
		if mask != full {
			f.line("LEAQ (DI)(CX*4), DI")
			f.line("LEAQ (SI)(CX*4), SI")
		}
	})
	f.line("JMP  row")
	f.label("end")
	f.ret()
}

// sumLoop accumulates in registers 0 to 3 and leaves their sum in X0. body
// may use the others but the tail's mask.
func (f *fn) sumLoop(ptrs []string, body func(j, off int, mask string)) {
	for j := range 4 {
		f.zero(j)
	}
	f.light("", ptrs, body)
	f.fold("VADDPS", 0, 4)
}

func maxKernel(f *fn) {
	f.line("MOVQ x_base+0(FP), SI")
	f.line("MOVQ x_len+8(FP), CX")
	f.maxLoop("", []string{"SI"})
	f.line("VMOVSS X0, ret+24(FP)")
	f.ret()
}

// maxLoop leaves the largest of CX elements at SI in the first lane of
// register 0, NaN if there is one. Uses registers 0 to 12 and mask K3.
func (f *fn) maxLoop(prefix string, ptrs []string) {
	const low, nan = 8, 9
	inf := f.c(float32(math.Inf(-1)))
	f.mov(inf, f.v(low))
	for j := range 4 {
		f.o("VMOVAPS", f.v(low), f.v(j))
	}
	if f.masks {
		f.line("KXORW K3, K3, K3")
	} else {
		f.zero(nan)
	}
	f.light(prefix, ptrs, func(j, off int, mask string) {
		switch {
		case mask == full:
			f.load(at("SI", off), 4+j, full)
		case f.masks:
			f.o("VMOVAPS", f.v(low), f.v(4+j))
			f.line("VMOVUPS %s, %s, %s", at("SI", off), mask, f.v(4+j))
		default:
			f.load(at("SI", off), 4+j, mask)
			f.o("VBLENDVPS", mask, f.v(4+j), f.v(low), f.v(4+j))
		}
		f.o("VMAXPS", f.v(4+j), f.v(j), f.v(j))
		if f.masks {
			f.o("VCMPPS", "$3", f.v(4+j), f.v(4+j), "K2")
			f.line("KORW K2, K3, K3")
		} else {
			f.o("VCMPPS", "$3", f.v(4+j), f.v(4+j), f.v(10))
			f.o("VORPS", f.v(10), f.v(nan), f.v(nan))
		}
	})
	f.fold("VMAXPS", 0, 4)
	f.say("NaN beats all: VMAXPS alone would lose it")
	if f.masks {
		f.line("KORTESTW K3, K3")
	} else {
		f.o("VTESTPS", f.v(nan), f.v(nan))
	}
	f.line("JEQ  %sordered", prefix)
	f.line("VPCMPEQD X0, X0, X0")
	f.label(prefix + "ordered")
}

func findGreater(f *fn) {
	f.line("MOVQ x_base+0(FP), SI")
	f.line("MOVQ x_len+8(FP), CX")
	f.line("MOVQ SI, R8")
	f.line("VBROADCASTSS than+24(FP), %s", f.v(8))
	f.label("loop4")
	f.line("SUBQ $%d, CX", 4*f.lanes)
	f.line("JLT  rest")
	for j := range 4 {
		if f.masks {
			f.line("VMOVUPS %s, %s", at("SI", j*f.bytes()), f.v(j))
			f.line("VCMPPS $0x16, %s, %s, K%d", f.v(8), f.v(j), 4+j)
		} else {
			f.line("VMOVUPS %s, %s", at("SI", j*f.bytes()), f.v(j))
			f.line("VCMPPS $0x16, %s, %s, %s", f.v(8), f.v(j), f.v(j))
		}
	}
	if f.masks {
		f.line("KORW K4, K5, K4")
		f.line("KORW K6, K7, K6")
		f.line("KORTESTW K4, K6")
	} else {
		f.o("VORPS", f.v(0), f.v(1), f.v(0))
		f.o("VORPS", f.v(2), f.v(3), f.v(2))
		f.o("VORPS", f.v(0), f.v(2), f.v(0))
		f.o("VTESTPS", f.v(0), f.v(0))
	}
	f.line("JNE  rest // somewhere here: the loop below finds it")
	f.step(4*f.bytes(), "SI")
	f.line("JMP  loop4")
	f.label("rest")
	f.line("ADDQ $%d, CX", 4*f.lanes)
	f.label("loop1")
	f.line("SUBQ $%d, CX", f.lanes)
	f.line("JLT  part")
	f.load("(SI)", 0, full)
	f.greater()
	f.line("JNE  found")
	f.step(f.bytes(), "SI")
	f.line("JMP  loop1")
	f.label("part")
	f.line("ADDQ $%d, CX", f.lanes)
	f.line("JEQ  none")
	f.tail(1)
	f.load("(SI)", 0, f.mask(0))
	f.greater()
	f.say("lanes beyond the last element don't count")
	f.line("MOVL $1, BX")
	f.line("SHLL CX, BX")
	f.line("DECL BX")
	f.line("ANDL BX, AX")
	f.line("JNE  found")
	f.label("none")
	f.line("MOVQ x_len+8(FP), AX")
	f.line("MOVQ AX, ret+32(FP)")
	f.ret()
	f.label("found")
	f.line("BSFL AX, AX")
	f.line("SUBQ R8, SI")
	f.line("SHRQ $2, SI")
	f.line("ADDQ SI, AX")
	f.line("MOVQ AX, ret+32(FP)")
	f.ret()
}

// greater sets AX to the lanes of register 0 that aren't <= register 8, and
// the zero flag if there are none.
func (f *fn) greater() {
	if f.masks {
		f.line("VCMPPS $0x16, %s, %s, K4", f.v(8), f.v(0))
		f.line("KMOVW K4, AX")
	} else {
		f.line("VCMPPS $0x16, %s, %s, %s", f.v(8), f.v(0), f.v(0))
		f.line("VMOVMSKPS %s, AX", f.v(0))
	}
	f.line("TESTL AX, AX")
}
