package gemm

import "unsafe"

// tilePortable is the micro-kernel in plain Go: the order of summation is that
// of the others, but each product is rounded before it is added.
func tilePortable(t *tile) {
	const nr = 8
	for r := range t.rows {
		a, acc := unsafe.Add(t.a, uintptr(r)*t.lda), floats(unsafe.Add(t.acc, r*nr*4), nr)
		flags := t.flags
		for k := 0; k < t.k; k += t.chain {
			n := min(t.chain, t.k-k)
			sum := dot8(floats(unsafe.Add(a, 4*k), n), floats(unsafe.Add(t.b, 4*k*nr), n*nr))
			if flags&loadAcc != 0 {
				for i, v := range acc {
					sum[i] = v + sum[i]
				}
			}
			copy(acc, sum[:])
			flags |= loadAcc
		}
		if flags&storeAcc == 0 {
			finish(acc[:t.cols], t, r)
		}
	}
}

// finish applies the epilogue to one row and stores it.
func finish(sum []float32, t *tile, r int) {
	if t.flags&doScale != 0 {
		for i := range sum {
			sum[i] *= t.scale
		}
	}
	if t.flags&doBias != 0 {
		for i, v := range floats(t.bias, len(sum)) {
			sum[i] += v
		}
	}
	if t.flags&doRes != 0 {
		for i, v := range floats(unsafe.Add(t.res, uintptr(r)*t.ldr), len(sum)) {
			sum[i] += v
		}
	}
	if t.flags&doReLU != 0 {
		for i, v := range sum {
			if v < 0 {
				sum[i] = 0
			}
		}
	}
	copy(floats(unsafe.Add(t.c, uintptr(r)*t.ldc), len(sum)), sum)
}

// dot8 multiplies a row by a panel of 8 columns. Eight named sums stay in
// registers; an array of them doesn't.
func dot8(a, b []float32) [8]float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for k, x := range a {
		p := b[k*8 : k*8+8 : k*8+8]
		s0 += float32(x * p[0])
		s1 += float32(x * p[1])
		s2 += float32(x * p[2])
		s3 += float32(x * p[3])
		s4 += float32(x * p[4])
		s5 += float32(x * p[5])
		s6 += float32(x * p[6])
		s7 += float32(x * p[7])
	}
	return [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}
