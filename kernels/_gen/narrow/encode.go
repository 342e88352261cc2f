package main

import "fmt"

// Go's assembler knows neither AMX nor AVX512_BF16, so these instructions are
// written as bytes. Source: Intel SDM volume 2, 2.3 (VEX) and 2.7 (EVEX).

var number = map[string]int{"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SI": 6, "DI": 7,
	"R8": 8, "R9": 9, "R10": 10, "R11": 11, "R12": 12, "R13": 13, "R15": 15}

func (w *writer) bytes(comment string, code ...byte) {
	w.b.WriteByte('\t')
	for i, c := range code {
		if i > 0 {
			w.b.WriteString("; ")
		}
		fmt.Fprintf(&w.b, "BYTE $0x%02x", c)
	}
	fmt.Fprintf(&w.b, " // %s\n", comment)
}

// The prefixes of VEX's third byte.
const (
	none = 0
	f3   = 2
	f2   = 3
)

// vex is an instruction of the map 0F38 with W0 and L0: modrm and sib follow.
func vex(prefix, vvvv, base, index int, op byte, rest ...byte) []byte {
	second := byte(0xe2)
	if base >= 8 {
		second &^= 0x20
	}
	if index >= 8 {
		second &^= 0x40
	}
	return append([]byte{0xc4, second, byte((15-vvvv)<<3 | prefix), op}, rest...)
}

// tileMove loads or stores tile t: 16 rows of 64 bytes, stride apart.
func (w *writer) tileMove(name string, prefix, t int, base string, disp int, stride string) {
	b, i := number[base], number[stride]
	modrm, sib := byte(0x80|t<<3|4), byte(i&7<<3|b&7)
	code := vex(prefix, 0, b, i, 0x4b, modrm, sib, byte(disp), byte(disp>>8), byte(disp>>16), byte(disp>>24))
	w.bytes(fmt.Sprintf("%s %d(%s)(%s*1), T%d", name, disp, base, stride, t), code...)
}

func (w *writer) tileLoad(t int, base string, disp int, stride string) {
	w.tileMove("TILELOADD", f2, t, base, disp, stride)
}

func (w *writer) tileStore(t int, base string, disp int, stride string) {
	w.tileMove("TILESTORED", f3, t, base, disp, stride)
}

func (w *writer) tileZero(t int) {
	w.bytes(fmt.Sprintf("TILEZERO T%d", t), vex(f2, 0, 0, 0, 0x49, byte(0xc0|t<<3))...)
}

// tileProduct is T[sum] += T[a]·T[b].
func (w *writer) tileProduct(sum, a, b int) {
	w.bytes(fmt.Sprintf("TDPBF16PS T%d, T%d, T%d", b, a, sum), vex(f3, b, 0, 0, 0x5c, byte(0xc0|sum<<3|a))...)
}

// tileConfig reads the configuration at (base).
func (w *writer) tileConfig(base string) {
	b := number[base]
	w.bytes(fmt.Sprintf("LDTILECFG (%s)", base), vex(none, 0, b, 0, 0x49, byte(b&7))...)
}

func (w *writer) tileRelease() {
	w.bytes("TILERELEASE", vex(none, 0, 0, 0, 0x49, 0xc0)...)
}

// dot is Z[sum] += pairs of Z[x] times pairs of Z[y].
func (w *writer) dot(y, x, sum int) {
	bit := func(v, n int) byte { return byte(^v >> n & 1) }
	p0 := bit(sum, 3)<<7 | bit(y, 4)<<6 | bit(y, 3)<<5 | bit(sum, 4)<<4 | 2
	p1 := byte(15-x&15)<<3 | 4 | f3
	p2 := byte(0x40) | bit(x, 4)<<3
	w.bytes(fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", y, x, sum), 0x62, p0, p1, p2, 0x52, byte(0xc0|sum&7<<3|y&7))
}

// prefetchW brings a line near in order to write it.
func (w *writer) prefetchW(base string, disp int8) {
	b := number[base]
	w.bytes(fmt.Sprintf("PREFETCHW %d(%s)", disp, base), byte(0x40|b>>3), 0x0f, 0x0d, byte(0x48|b&7), byte(disp))
}

// narrow rounds the floats of Z[low] and Z[high] to the halves of Z[dst].
func (w *writer) narrow(low, high, dst int) {
	bit := func(v, n int) byte { return byte(^v >> n & 1) }
	p0 := bit(dst, 3)<<7 | bit(low, 4)<<6 | bit(low, 3)<<5 | bit(dst, 4)<<4 | 2
	p1 := byte(15-high&15)<<3 | 4 | f2
	p2 := byte(0x40) | bit(high, 4)<<3
	w.bytes(fmt.Sprintf("VCVTNE2PS2BF16 Z%d, Z%d, Z%d", low, high, dst), 0x62, p0, p1, p2, 0x72, byte(0xc0|dst&7<<3|low&7))
}
