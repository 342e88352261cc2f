package elem

// Transpose sets dst to the transpose of x.
//
// Shapes: x [M,N], dst [N,M]. Aliasing: dst and x must not overlap.
func (k *Kernel) Transpose(dst, x []float32, m, n int) {
	sameLen(len(x), m*n)
	sameLen(len(dst), m*n)
	k.transposeStrided(dst, x, m, n, m, n)
}

// transposeStrided transposes x [m,n], rows ldx apart, into dst [n,m], rows
// ldd apart.
func (k *Kernel) transposeStrided(dst, x []float32, m, n, ldd, ldx int) {
	// Tiles of 64x64 (16 KB in, 16 KB out) stay in L1 and in few TLB entries.
	const tile = 64
	blk := k.transposeBlock
	for i0 := 0; i0 < m; i0 += tile {
		i1 := min(i0+tile, m)
		for j0 := 0; j0 < n; j0 += tile {
			j1 := min(j0+tile, n)
			i := i0
			for ; i+blk <= i1; i += blk {
				j := j0
				for ; j+blk <= j1; j += blk {
					k.transpose(dst[j*ldd+i:], x[i*ldx+j:], ldd, ldx)
				}
				transposePart(dst, x, i, i+blk, j, j1, ldd, ldx)
			}
			transposePart(dst, x, i, i1, j0, j1, ldd, ldx)
		}
	}
}

func transposePart(dst, x []float32, i0, i1, j0, j1, ldd, ldx int) {
	for j := j0; j < j1; j++ {
		for i := i0; i < i1; i++ {
			dst[j*ldd+i] = x[i*ldx+j]
		}
	}
}

// Permute reorders the axes of x: axis i of dst is axis perm[i] of x, as
// torch's permute.
//
// Shapes: x [shape], dst [shape[perm]]. Aliasing: dst and x must not overlap.
// Speed: an order that keeps the last axis copies whole runs (0213: heads);
// one that exchanges the last axis with another transposes planes; either
// runs near the speed of memory.
func (k *Kernel) Permute(dst, x []float32, shape, perm [4]int) {
	size := shape[0] * shape[1] * shape[2] * shape[3]
	sameLen(len(x), size)
	sameLen(len(dst), size)
	var seen uint
	for _, p := range perm {
		seen |= 1 << uint(p)
	}
	if seen != 1<<4-1 {
		fail("%v is no order of 4 axes", perm)
	}
	if size == 0 {
		return
	}
	in := [4]int{shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}
	var d, s [4]int // dst's sizes, and how far x moves with each of dst's axes
	for i, p := range perm {
		d[i], s[i] = shape[p], in[p]
	}
	out := [4]int{d[1] * d[2] * d[3], d[2] * d[3], d[3], 1}
	if s[3] == 1 {
		for a := range d[0] {
			for b := range d[1] {
				CopyRows(dst[a*out[0]+b*out[1]:], x[a*s[0]+b*s[1]:], d[2], d[3], d[3], s[2])
			}
		}
		return
	}
	// x's last axis is axis t of dst: planes (t,3) of dst are transposes.
	t := 0
	for s[t] != 1 {
		t++
	}
	o := [2]int{(t + 1) % 3, (t + 2) % 3}
	for a := range d[o[0]] {
		for b := range d[o[1]] {
			k.transposeStrided(dst[a*out[o[0]]+b*out[o[1]]:], x[a*s[o[0]]+b*s[o[1]]:], d[3], d[t], out[t], s[3])
		}
	}
}
