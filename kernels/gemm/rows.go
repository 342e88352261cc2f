package gemm

import (
	"fmt"
	"unsafe"

	"syntic/kernels/isa"
	"syntic/kernels/par"
)

// Rows streams products with a huge row-major matrix T [J,D] that is used as
// it lies, perhaps mapped from disk: scores against every row, and weighted
// sums of the rows.
//
// Results depend on J's range and D only: a row of q or p gives the same bits
// whatever the other rows and the number of workers.
//
// Concurrency: one call at a time for all users of a pool.
type Rows struct {
	k             *Kernel
	pool          *par.Pool
	t             Matrix
	m             int       // rows of q or p of this call
	part          []float32 // partial sums of a wave of chunks
	x, out        []float32
	ldx, ldo      int
	j0, j1        int
	dotFn, sumFn  func(worker, tile int)
	partLen, dPad int
}

const (
	chunk    = 512 // rows that one worker takes at a time
	sumBlock = 64  // rows whose weighted sum is one chain; 64 rows of 512 floats fit L2
	dotRows  = 16  // rows that all vectors are multiplied with at a time, a multiple of 4
	wave     = 32  // chunks whose sums are kept before they are added up
)

// NewRows plans products of at most M rows with T [J,D], given as a dense
// Matrix of layout NK with N=J and K=D.
//
// Allocs: wave·M·D floats of partial sums, once.
// Panics: if t is not dense NK or its data too short.
func NewRows(k *Kernel, pool *par.Pool, t Matrix, M int) *Rows {
	checkMatrix(&t)
	if t.Layout != NK || t.ld() != t.K {
		panic("gemm: Rows needs a dense matrix of layout NK")
	}
	r := &Rows{k: k, pool: pool, t: t, dPad: (t.K + k.nr - 1) / k.nr * k.nr}
	r.partLen = M * r.dPad
	r.part = par.Aligned(wave * r.partLen)
	r.dotFn, r.sumFn = r.dotChunk, r.sumChunk
	pool.Reserve(max(sumBlock*r.dPad, 4*t.K+16))
	return r
}

// Dots writes scores[m·lds+j-j0] = q[m]·T[j] for j in [j0,j1) and m in [0,M).
//
// A dot product is 16 chains of fused multiply-adds, one for each k mod 16,
// added in halves.
//
// Allocs: none.
// Panics: if a slice is too short.
func (r *Rows) Dots(scores []float32, lds int, q []float32, ldq, M, j0, j1 int) {
	r.set(scores, lds, q, ldq, M, j0, j1, j1-j0, r.t.K)
	r.pool.Run((j1-j0+chunk-1)/chunk, r.dotFn)
	r.out, r.x = nil, nil
}

// Sum adds Σ p[m·ldp+j-j0]·T[j] over j in [j0,j1) to out[m·ldo:].
//
// Allocs: none.
// Panics: if a slice is too short, or M more than planned.
func (r *Rows) Sum(out []float32, ldo int, p []float32, ldp, M, j0, j1 int) {
	if M*r.dPad > r.partLen {
		panic(fmt.Sprintf("gemm: %d rows, more than planned", M))
	}
	r.set(out, ldo, p, ldp, M, j0, j1, r.t.K, j1-j0)
	for ; r.j0 < j1; r.j0 += wave * chunk {
		n := min(wave, (j1-r.j0+chunk-1)/chunk)
		r.pool.Run(n, r.sumFn)
		for c := range n {
			r.addPart(r.part[c*r.partLen:])
		}
		r.x = r.x[min(wave*chunk, len(r.x)):]
	}
	r.out, r.x = nil, nil
}

func (r *Rows) set(out []float32, ldo int, x []float32, ldx, M, j0, j1, outCols, xCols int) {
	if j0 < 0 || j1 < j0 || j1 > r.t.N || M < 0 {
		panic(fmt.Sprintf("gemm: %d rows against rows [%d,%d) of %d", M, j0, j1, r.t.N))
	}
	if M > 0 && (len(out) < (M-1)*ldo+outCols || len(x) < (M-1)*ldx+xCols) {
		panic(fmt.Sprintf("gemm: %d rows of %d and %d: slices of %d and %d floats are too short", M, outCols, xCols, len(out), len(x)))
	}
	r.out, r.ldo, r.x, r.ldx, r.m, r.j0, r.j1 = out, ldo, x, ldx, M, j0, j1
}

// dotChunk scores one chunk of rows, a few at a time: they stay in L1 while the
// vectors pass.
func (r *Rows) dotChunk(worker, i int) {
	a := r.j0 + i*chunk
	b := min(a+chunk, r.j1)
	direct := r.t.Type == F32 || r.t.K%16 == 0 && r.k.level != isa.Portable
	if direct && b-a >= 4 {
		j := a
		for ; j+4 <= b; j += dotRows {
			r.dotGroups(j, min(dotRows, b-j)/4)
		}
		if (b-a)%4 != 0 {
			r.dotGroups(b-4, 1) // some rows again, with the same result
		}
		return
	}
	for j := a; j < b; j += 4 {
		r.dotWidened(j, min(4, b-j), worker)
	}
}

// dotGroups scores groups of four rows from j on.
func (r *Rows) dotGroups(j, groups int) {
	size := r.t.Type.Size()
	d := dots{t: unsafe.Pointer(unsafe.SliceData(r.t.Data[j*r.t.K*size:])), ldt: uintptr(r.t.K * size), groups: groups,
		ldx: uintptr(4 * r.ldx), k: r.t.K, ldo: uintptr(4 * r.ldo)}
	for m := 0; m < r.m; {
		n := r.k.vectors(r.m - m)
		d.x = unsafe.Pointer(&r.x[m*r.ldx])
		d.out = unsafe.Pointer(&r.out[m*r.ldo+j-r.j0])
		r.k.dots(&d, r.t.Type, n)
		m += n
	}
}

// dotWidened scores n <= 4 rows that are copied as floats first.
func (r *Rows) dotWidened(j, n, worker int) {
	k, size := r.t.K, r.t.Type.Size()
	buf := r.pool.Scratch(worker)
	rows, out := buf[:4*k], buf[4*k:][:16]
	clear(rows[n*k:])
	r.k.widen(rows[:n*k], r.t.Data[j*k*size:], r.t.Type)
	d := dots{t: unsafe.Pointer(unsafe.SliceData(rows)), ldt: uintptr(4 * k), groups: 1,
		ldx: uintptr(4 * r.ldx), k: k, out: unsafe.Pointer(&out[0]), ldo: 16}
	for m := 0; m < r.m; {
		v := r.k.vectors(r.m - m)
		d.x = unsafe.Pointer(&r.x[m*r.ldx])
		r.k.dots(&d, F32, v)
		for i := range v {
			copy(r.out[(m+i)*r.ldo+j-r.j0:][:n], out[4*i:])
		}
		m += v
	}
}

// vectors returns how many of n vectors one call of dots takes.
func (k *Kernel) vectors(n int) int {
	if k.level == isa.AVX512 && n >= 4 {
		return 4
	}
	return 1
}

// sumChunk leaves the weighted sum of one chunk in the kernel's layout of
// partial sums.
func (r *Rows) sumChunk(worker, i int) {
	k, d := r.k, r.t.K
	packed, part := r.pool.Scratch(worker), r.part[i*r.partLen:]
	t := tile{lda: uintptr(4 * r.ldx), flags: storeAcc, chain: KC}
	t.ahead = unsafe.Pointer(unsafe.SliceData(packed))
	for j := r.j0 + i*chunk; j < min(r.j0+(i+1)*chunk, r.j1); j += sumBlock {
		n := min(sumBlock, min(r.j0+(i+1)*chunk, r.j1)-j)
		k.packKN(packed, r.t.Data[j*d*r.t.Type.Size():], r.t.Type, d, n, d)
		t.k = n
		tiles := (r.m + k.mr - 1) / k.mr
		for n0 := 0; n0 < d; n0 += k.nr {
			t.b = unsafe.Pointer(&packed[n0*n])
			for i := range tiles {
				m := cut(r.m, tiles, i)
				t.rows = cut(r.m, tiles, i+1) - m
				t.a = unsafe.Pointer(&r.x[m*r.ldx+j-r.j0])
				t.acc = unsafe.Pointer(&part[n0*r.m+m*k.nr])
				k.run(&t)
			}
		}
		t.flags = loadAcc | storeAcc
	}
}

// addPart adds one chunk's sums to the result.
func (r *Rows) addPart(part []float32) {
	for n0 := 0; n0 < r.t.K; n0 += r.k.nr {
		n := min(r.k.nr, r.t.K-n0)
		for m := range r.m {
			out := r.out[m*r.ldo+n0 : m*r.ldo+n0+n]
			for i, v := range part[n0*r.m+m*r.k.nr:][:n] {
				out[i] += v
			}
		}
	}
}

// dotsPortable is dots in plain Go, for float32 rows.
func dotsPortable(d *dots, vectors int) {
	for q := range vectors {
		x := floats(unsafe.Add(d.x, uintptr(q)*d.ldx), d.k)
		for j := range 4 * d.groups {
			t := floats(unsafe.Add(d.t, uintptr(j)*d.ldt), d.k)
			*(*float32)(unsafe.Add(d.out, uintptr(q)*d.ldo+uintptr(4*j))) = dot16(x, t)
		}
	}
}

// dot16 is the portable dot product of Dots.
func dot16(x, y []float32) float32 {
	var s [16]float32
	for i, v := range x {
		s[i&15] += float32(v * y[i])
	}
	for h := 8; h > 0; h /= 2 {
		for i := range h {
			s[i] += s[i+h]
		}
	}
	return s[0]
}
