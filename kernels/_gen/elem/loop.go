package main

import "fmt"

// bytes is the size of a vector.
func (f *fn) bytes() int { return 4 * f.lanes }

// maskReg is where AVX2 keeps the mask of the tail's first vector, and below
// it that of the second; AVX-512 has them in K1 and K2.
const maskReg = 15

// tail makes the masks of the first CX lanes (0 < CX < vectors*lanes). Uses AX
// and DX.
func (f *fn) tail(vectors int) {
	if f.masks {
		f.line("MOVL $-1, AX")
		f.line("SHLL CX, AX")
		f.line("NOTL AX")
		f.line("KMOVW AX, K1")
		if vectors > 1 {
			f.line("SHRL $16, AX")
			f.line("KMOVW AX, K2")
		}
		return
	}
	f.usesMaskTable = true
	f.line("LEAQ tailMask<>+64(SB), AX")
	f.line("MOVQ CX, DX")
	f.line("NEGQ DX")
	for j := range vectors {
		f.line("VMOVUPS %s(DX*4), %s", at("AX", 32*j), f.mask(j))
	}
}

// mask names the tail's mask of vector j.
func (f *fn) mask(j int) string {
	if f.masks {
		return fmt.Sprintf("K%d", 1+j)
	}
	return f.abs(maskReg - j)
}

// at is an operand: a pointer register and a distance from it.
func at(ptr string, off int) string {
	if off == 0 {
		return "(" + ptr + ")"
	}
	return fmt.Sprintf("%d(%s)", off, ptr)
}

// full, or the mask of a tail's vector, says what load and store may touch.
const full = ""

// load fills register r, with zeros where a mask says so.
func (f *fn) load(mem string, r int, mask string) {
	switch {
	case mask == full:
		f.line("VMOVUPS %s, %s", mem, f.v(r))
	case f.masks:
		f.line("VMOVUPS.Z %s, %s, %s", mem, mask, f.v(r))
	default:
		f.line("VMASKMOVPS %s, %s, %s", mem, mask, f.v(r))
	}
}

func (f *fn) store(r int, mem string, mask string) {
	switch {
	case mask == full:
		f.line("VMOVUPS %s, %s", f.v(r), mem)
	case f.masks:
		f.line("VMOVUPS %s, %s, %s", f.v(r), mask, mem)
	default:
		f.line("VMASKMOVPS %s, %s, %s", f.v(r), mask, mem)
	}
}

// heavy writes a loop over CX elements whose body is long and written once: it
// works on register 0 of each of the vectors in flight, which in loads and out
// takes. In the tail it computes with zeros in the lanes that don't exist.
func (f *fn) heavy(prefix string, ptrs []string, in func(off int, mask string), body func(), out func(off int, mask string)) {
	n := f.level.heavy
	each := func(do func(off int, mask string), tail bool) {
		f.interleave(n, func(j int) {
			mask := full
			if tail {
				mask = f.mask(j)
			}
			do(j*f.bytes(), mask)
		})
	}
	f.label(prefix + "loop")
	f.line("SUBQ $%d, CX", n*f.lanes)
	f.line("JLT  %spart", prefix)
	each(in, false)
	f.label(prefix + "math")
	f.interleave(n, func(int) { body() })
	f.line("TESTQ CX, CX // negative in the tail")
	f.line("JLT  %slast", prefix)
	each(out, false)
	f.step(n*f.bytes(), ptrs...)
	f.line("JMP  %sloop", prefix)
	f.label(prefix + "part")
	f.line("ADDQ $%d, CX", n*f.lanes)
	f.line("JEQ  %sdone", prefix)
	f.tail(n)
	each(in, true)
	f.line("MOVQ $-1, CX")
	f.line("JMP  %smath", prefix)
	f.label(prefix + "last")
	each(out, true)
	f.label(prefix + "done")
}

// light writes a loop of four vectors, one of one, and the tail. body handles
// vector j of an iteration, off bytes from the pointers.
func (f *fn) light(prefix string, ptrs []string, body func(j, off int, mask string)) {
	f.label(prefix + "loop4")
	f.line("SUBQ $%d, CX", 4*f.lanes)
	f.line("JLT  %srest", prefix)
	for j := range 4 {
		body(j, j*f.bytes(), full)
	}
	f.step(4*f.bytes(), ptrs...)
	f.line("JMP  %sloop4", prefix)
	f.label(prefix + "rest")
	f.line("ADDQ $%d, CX", 4*f.lanes)
	f.label(prefix + "loop1")
	f.line("SUBQ $%d, CX", f.lanes)
	f.line("JLT  %spart", prefix)
	body(0, 0, full)
	f.step(f.bytes(), ptrs...)
	f.line("JMP  %sloop1", prefix)
	f.label(prefix + "part")
	f.line("ADDQ $%d, CX", f.lanes)
	f.line("JEQ  %sdone", prefix)
	f.tail(1)
	body(0, 0, f.mask(0))
	f.label(prefix + "done")
}

// fold joins registers a, a+1, a+2, a+3 and then the lanes of a, pairwise.
func (f *fn) fold(op string, a, tmp int) {
	f.o(op, f.v(a+1), f.v(a), f.v(a))
	f.o(op, f.v(a+3), f.v(a+2), f.v(a+2))
	f.o(op, f.v(a+2), f.v(a), f.v(a))
	f.lanesOf(op, a, tmp)
}

// lanesOf joins the lanes of register a into its first.
func (f *fn) lanesOf(op string, a, tmp int) {
	if f.masks {
		f.o("VEXTRACTF64X4", "$1", f.v(a), f.y(tmp))
		f.o(op, f.y(tmp), f.y(a), f.y(a))
	}
	f.o("VEXTRACTF128", "$1", f.y(a), f.x(tmp))
	f.o(op, f.x(tmp), f.x(a), f.x(a))
	f.o("VPERMILPS", "$0x4e", f.x(a), f.x(tmp))
	f.o(op, f.x(tmp), f.x(a), f.x(a))
	f.o("VPERMILPS", "$0xb1", f.x(a), f.x(tmp))
	f.o(op, f.x(tmp), f.x(a), f.x(a))
}

func (f *fn) zero(r int) { f.o("VXORPS", f.x(r), f.x(r), f.x(r)) }
