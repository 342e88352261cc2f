package main

import "fmt"

// bytes is the size of a vector.
func (f *fn) bytes() int { return 4 * f.lanes }

const maskReg = 15 // AVX2 keeps the tail's mask here; AVX-512 in K1

// tail makes the mask of the first CX lanes (0 < CX < lanes). Uses AX and DX.
func (f *fn) tail() {
	if f.masks {
		f.o2("MOVL $-1, AX")
		f.o2("SHLL CX, AX")
		f.o2("NOTL AX")
		f.o2("KMOVW AX, K1")
		return
	}
	f.usesMaskTable = true
	f.o2("LEAQ tailMask<>+32(SB), AX")
	f.o2("MOVQ CX, DX")
	f.o2("NEGQ DX")
	f.o2("VMOVUPS (AX)(DX*4), %s", f.v(maskReg))
}

// at is an operand: a pointer register and a distance from it.
func at(ptr string, off int) string {
	if off == 0 {
		return "(" + ptr + ")"
	}
	return fmt.Sprintf("%d(%s)", off, ptr)
}

// load fills register r, in the tail with zeros beyond the last element.
func (f *fn) load(mem string, r int, tail bool) {
	switch {
	case !tail:
		f.o2("VMOVUPS %s, %s", mem, f.v(r))
	case f.masks:
		f.o2("VMOVUPS.Z %s, K1, %s", mem, f.v(r))
	default:
		f.o2("VMASKMOVPS %s, %s, %s", mem, f.v(maskReg), f.v(r))
	}
}

func (f *fn) store(r int, mem string, tail bool) {
	switch {
	case !tail:
		f.o2("VMOVUPS %s, %s", f.v(r), mem)
	case f.masks:
		f.o2("VMOVUPS %s, K1, %s", f.v(r), mem)
	default:
		f.o2("VMASKMOVPS %s, %s, %s", f.v(r), f.v(maskReg), mem)
	}
}

// heavy writes a loop whose body is written once: it works on register 0,
// loaded by in and stored to DI, one vector at a time. Successive vectors
// overlap in the reorder buffer, so unrolling would only cost code. CX counts
// elements; ptrs are stepped.
func (f *fn) heavy(ptrs []string, in func(tail bool), body func()) {
	f.label("loop")
	f.o2("SUBQ $%d, CX", f.lanes)
	f.o2("JLT  part")
	in(false)
	f.label("math")
	body()
	f.o2("TESTQ CX, CX // negative in the tail")
	f.o2("JLT  last")
	f.store(0, "(DI)", false)
	f.step(f.bytes(), ptrs...)
	f.o2("JMP  loop")
	f.label("part")
	f.o2("ADDQ $%d, CX", f.lanes)
	f.o2("JEQ  done")
	f.tail()
	in(true)
	f.o2("MOVQ $-1, CX")
	f.o2("JMP  math")
	f.label("last")
	f.store(0, "(DI)", true)
	f.label("done")
	f.ret()
}

// light writes a loop of four vectors, one of one, and the tail. body handles
// vector j of an iteration, off bytes from the pointers.
func (f *fn) light(prefix string, ptrs []string, body func(j, off int, tail bool)) {
	f.label(prefix + "loop4")
	f.o2("SUBQ $%d, CX", 4*f.lanes)
	f.o2("JLT  %srest", prefix)
	for j := range 4 {
		body(j, j*f.bytes(), false)
	}
	f.step(4*f.bytes(), ptrs...)
	f.o2("JMP  %sloop4", prefix)
	f.label(prefix + "rest")
	f.o2("ADDQ $%d, CX", 4*f.lanes)
	f.label(prefix + "loop1")
	f.o2("SUBQ $%d, CX", f.lanes)
	f.o2("JLT  %spart", prefix)
	body(0, 0, false)
	f.step(f.bytes(), ptrs...)
	f.o2("JMP  %sloop1", prefix)
	f.label(prefix + "part")
	f.o2("ADDQ $%d, CX", f.lanes)
	f.o2("JEQ  %sdone", prefix)
	f.tail()
	body(0, 0, true)
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
