package vision

// Constants of the inverse transform: 13 fraction bits.
//
// Source: libjpeg-turbo, jidctint.c; Loeffler, Ligtenberg, Moschytz, ICASSP 1989.
const (
	fix0298 = 2446
	fix0390 = 3196
	fix0541 = 4433
	fix0765 = 6270
	fix0899 = 7373
	fix1175 = 9633
	fix1501 = 12299
	fix1847 = 15137
	fix1961 = 16069
	fix2053 = 16819
	fix2562 = 20995
	fix3072 = 25172

	constBits = 13
	pass1Bits = 2
)

// transform writes block k of the plane: coefficients times their steps,
// through libjpeg's accurate integer transform. block is destroyed.
func (c *component) transform(k int, block, quant *[64]int32) {
	for i := range 8 {
		b := (*[57]int32)(block[i:])
		q := (*[57]int32)(quant[i:])
		if b[8]|b[16]|b[24]|b[32]|b[40]|b[48]|b[56] == 0 {
			v := b[0] * q[0] << pass1Bits
			b[0], b[8], b[16], b[24], b[32], b[40], b[48], b[56] = v, v, v, v, v, v, v, v
			continue
		}
		e, o := butterfly(b[0]*q[0], b[8]*q[8], b[16]*q[16], b[24]*q[24], b[32]*q[32], b[40]*q[40], b[48]*q[48], b[56]*q[56])
		const shift = constBits - pass1Bits
		const half = 1 << (shift - 1)
		b[0], b[56] = (e[0]+o[0]+half)>>shift, (e[0]-o[0]+half)>>shift
		b[8], b[48] = (e[1]+o[1]+half)>>shift, (e[1]-o[1]+half)>>shift
		b[16], b[40] = (e[2]+o[2]+half)>>shift, (e[2]-o[2]+half)>>shift
		b[24], b[32] = (e[3]+o[3]+half)>>shift, (e[3]-o[3]+half)>>shift
	}
	stride := 8 * c.strideB
	at := c.corner(k)
	for i := range 8 {
		b := (*[8]int32)(block[8*i:])
		out := (*[8]byte)(c.pix[at+i*stride:])
		e, o := butterfly(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])
		const shift = constBits + pass1Bits + 3
		const half = 1<<(shift-1) + 128<<shift
		out[0], out[7] = clamp((e[0]+o[0]+half)>>shift), clamp((e[0]-o[0]+half)>>shift)
		out[1], out[6] = clamp((e[1]+o[1]+half)>>shift), clamp((e[1]-o[1]+half)>>shift)
		out[2], out[5] = clamp((e[2]+o[2]+half)>>shift), clamp((e[2]-o[2]+half)>>shift)
		out[3], out[4] = clamp((e[3]+o[3]+half)>>shift), clamp((e[3]-o[3]+half)>>shift)
	}
}

// flat writes block k where only the first coefficient is set, as transform would.
func (c *component) flat(k int, value int32) {
	const shift = pass1Bits + 3
	v := clamp((value<<pass1Bits + 1<<(shift-1) + 128<<shift) >> shift)
	row := [8]byte{v, v, v, v, v, v, v, v}
	at := c.corner(k)
	for i := range 8 {
		copy(c.pix[at+i*8*c.strideB:], row[:])
	}
}

// corner returns where block k begins in the plane.
func (c *component) corner(k int) int {
	return (k/c.strideB*8*c.strideB + k%c.strideB) * 8
}

// butterfly returns the even and odd halves of an 8-point inverse transform,
// scaled by 2^13: outputs i and 7-i are even[i] ± odd[i].
func butterfly(c0, c1, c2, c3, c4, c5, c6, c7 int32) (even, odd [4]int32) {
	z1 := (c2 + c6) * fix0541
	t2, t3 := z1-c6*fix1847, z1+c2*fix0765
	t0, t1 := (c0+c4)<<constBits, (c0-c4)<<constBits
	even = [4]int32{t0 + t3, t1 + t2, t1 - t2, t0 - t3}

	z5 := (c7 + c3 + c5 + c1) * fix1175
	a, b := -(c7+c1)*fix0899, -(c5+c3)*fix2562
	p, q := z5-(c7+c3)*fix1961, z5-(c5+c1)*fix0390
	odd = [4]int32{c1*fix1501 + a + q, c3*fix3072 + b + p, c5*fix2053 + b + q, c7*fix0298 + a + p}
	return even, odd
}
