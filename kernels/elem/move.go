package elem

// Gather copies the rows of table that ids name.
//
// Shapes: table [V,D], dst [len(ids),D]. Panics: when an id is outside [0,V).
func (k *Kernel) Gather(dst, table []float32, d int, ids []int32) {
	v := rowsOf(len(table), d)
	sameLen(len(dst), len(ids)*d)
	for i, id := range ids {
		checkID(id, v)
		copy(dst[i*d:(i+1)*d], table[int(id)*d:])
	}
}

// GatherF16 is Gather from a table of half precision numbers, 2 bytes each.
func (k *Kernel) GatherF16(dst []float32, table []byte, d int, ids []int32) {
	gatherHalf(k.FromF16, dst, table, d, ids)
}

// GatherBF16 is Gather from a table of bfloat16 numbers, 2 bytes each.
func (k *Kernel) GatherBF16(dst []float32, table []byte, d int, ids []int32) {
	gatherHalf(k.FromBF16, dst, table, d, ids)
}

func gatherHalf(from func([]float32, []byte), dst []float32, table []byte, d int, ids []int32) {
	v := rowsOf(len(table), 2*d)
	sameLen(len(dst), len(ids)*d)
	for i, id := range ids {
		checkID(id, v)
		at := int(id) * 2 * d
		from(dst[i*d:(i+1)*d], table[at:at+2*d])
	}
}

func rowsOf(n, row int) int {
	if row <= 0 || n%row != 0 {
		fail("a table of %d is no whole rows of %d", n, row)
	}
	return n / row
}

func checkID(id int32, v int) {
	if id < 0 || int(id) >= v {
		fail("row %d of a table of %d", id, v)
	}
}

// CopyRows copies m rows of n elements between matrices whose rows are ldd and
// ldx elements apart: the move behind concatenation and slices.
//
// Aliasing: dst and x must not overlap unless they are the same rows.
func CopyRows(dst, x []float32, m, n, ldd, ldx int) {
	if m < 0 || n < 0 || m > 1 && (ldd < n || ldx < n) {
		fail("%d rows of %d with strides %d and %d", m, n, ldd, ldx)
	}
	for i := range m {
		copy(dst[i*ldd:i*ldd+n], x[i*ldx:i*ldx+n])
	}
}

// Nearest resizes pictures to [oh,ow] by the nearest neighbour: row i comes
// from row floor(i*h/oh).
//
// Shapes: x [N,H,W,C], dst [N,oh,ow,C]. Source: torch interpolate, "nearest",
// which takes the ratio in float32.
func Nearest(dst, x []float32, n, h, w, c, oh, ow int) {
	sameLen(len(x), n*h*w*c)
	sameLen(len(dst), n*oh*ow*c)
	for b := range n {
		NearestRows(dst[b*oh*ow*c:], x[b*h*w*c:], 0, oh, h, w, c, oh, ow)
	}
}

// NearestRows makes rows [lo,hi) of one picture of Nearest, so that callers
// can share the work.
//
// Shapes: x [H,W,C], dst [oh,ow,C].
func NearestRows(dst, x []float32, lo, hi, h, w, c, oh, ow int) {
	sy, sx := float32(h)/float32(oh), float32(w)/float32(ow)
	for i := lo; i < hi; i++ {
		src := x[min(int(float32(i)*sy), h-1)*w*c:][:w*c]
		row := dst[i*ow*c : (i+1)*ow*c]
		for j := range ow {
			at := min(int(float32(j)*sx), w-1) * c
			copy(row[j*c:(j+1)*c], src[at:at+c])
		}
	}
}
