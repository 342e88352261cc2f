package gemm

import (
	"fmt"

	"syntic/kernels/par"
)

// DType is how a matrix is stored. Products are always float32.
type DType uint8

// The storage types.
const (
	F32 DType = iota
	F16
	BF16
)

// Size returns the bytes of one value.
func (d DType) Size() int {
	if d == F32 {
		return 4
	}
	return 2
}

// Layout is the order of B's axes.
type Layout uint8

const (
	// NK is [N,K], as nn.Linear stores its weight.
	NK Layout = iota
	// KN is [K,N], as GPT-2's Conv1D stores it.
	KN
)

// Matrix is a B that lies somewhere unpacked, perhaps in a mapped file.
// Data needs no alignment; values are little-endian.
type Matrix struct {
	Data   []byte
	Type   DType
	Layout Layout
	K, N   int
	LD     int // values from one row to the next; 0 means no gap
}

// FloatMatrix describes a dense float32 b, without copying it.
func FloatMatrix(b []float32, layout Layout, K, N int) Matrix {
	return Matrix{Data: bytesOf(b), Layout: layout, K: K, N: N}
}

func (m *Matrix) ld() int {
	switch {
	case m.LD != 0:
		return m.LD
	case m.Layout == NK:
		return m.K
	}
	return m.N
}

// Weights is a B [K,N] packed into panels of nr columns: panel j holds the
// rows of columns [j·nr, (j+1)·nr), zeros past N.
//
// Concurrency: immutable.
type Weights struct {
	K, N int
	nr   int
	f    []float32 // F32
	h    []uint16  // F16, BF16
	typ  DType

	short int // chain, where it isn't KC
}

// InChains returns w with sums of n steps of k at a time, each chain starting
// from 0, the chains added in ascending order: shorter chains err less.
//
// Panics: unless n divides KC.
func (w Weights) InChains(n int) Weights {
	if n < 1 || KC%n != 0 {
		panic(fmt.Sprintf("gemm: chains of %d don't make blocks of %d", n, KC))
	}
	w.short = n
	return w
}

// chain returns how many steps of k are summed in one go.
func (w *Weights) chain() int {
	if w.short == 0 {
		return KC
	}
	return w.short
}

// Type returns how the panels are stored.
func (w *Weights) Type() DType { return w.typ }

// Bytes returns the memory that the panels take.
func (w *Weights) Bytes() int { return 4*len(w.f) + 2*len(w.h) }

// PackedLen returns the floats that PackInto writes.
func (k *Kernel) PackedLen(K, N int) int { return (N + k.nr - 1) / k.nr * k.nr * K }

// Pack packs b as F32, F16 or BF16 panels. Half-precision panels take half the
// memory and are widened, exactly, when they are used; narrowing rounds to
// nearest even.
//
// Panics: if b.Data is too short, or K or N negative.
func (k *Kernel) Pack(pool *par.Pool, b Matrix, as DType) *Weights {
	checkMatrix(&b)
	w := &Weights{K: b.K, N: b.N, nr: k.nr, typ: as}
	n := k.PackedLen(b.K, b.N)
	if as == F32 {
		w.f = pool.Alloc(n)
	} else {
		w.h = halves(pool.Alloc((n+1)/2), n)
	}
	pool.Reserve(2 * k.nr * packStep)
	pool.Run((b.N+k.nr-1)/k.nr, func(worker, j int) {
		i, n := j*k.nr*b.K, k.nr*b.K
		if as == F32 {
			k.packPanel(w.f[i:i+n], &b, j*k.nr, pool.Scratch(worker))
		} else {
			k.packHalf(w.h[i:i+n], &b, j*k.nr, as, pool.Scratch(worker))
		}
	})
	return w
}

// PackF32 packs a dense float32 b on the calling goroutine.
func (k *Kernel) PackF32(b []float32, layout Layout, K, N int) *Weights {
	w := &Weights{K: K, N: N, nr: k.nr, f: par.Huge(k.PackedLen(K, N))}
	k.PackInto(w.f, b, 0, layout, K, N)
	return w
}

// PackInto packs a float32 b, whose rows are ldb apart (0: no gap), into dst.
// View makes a Weights of it.
//
// Allocs: none.
// Panics: if dst is shorter than PackedLen, or b too short.
func (k *Kernel) PackInto(dst, b []float32, ldb int, layout Layout, K, N int) {
	k.PackPanels(dst, b, ldb, layout, K, N, 0, N)
}

// PackPanels is PackInto for the columns [n0,n1) alone, n0 a multiple of NR
// and n1 one too or N: pieces may be packed by different workers.
func (k *Kernel) PackPanels(dst, b []float32, ldb int, layout Layout, K, N, n0, n1 int) {
	m := Matrix{Data: bytesOf(b), Layout: layout, K: K, N: N, LD: ldb}
	checkMatrix(&m)
	if n := k.PackedLen(K, N); len(dst) < n || n0%k.nr != 0 || n1 > N {
		panic(fmt.Sprintf("gemm: pack columns [%d,%d) of %d: dst of %d floats, needs %d", n0, n1, N, len(dst), n))
	}
	for n := n0; n < n1; n += k.nr {
		k.packPanel(dst[n*K:(n+k.nr)*K], &m, n, nil)
	}
}

// View reads packed, which PackInto filled, as a Weights.
//
// Aliasing: packed is shared.
// Allocs: none.
func (k *Kernel) View(packed []float32, K, N int) Weights {
	return Weights{K: K, N: N, nr: k.nr, f: packed[:k.PackedLen(K, N)]}
}

func checkMatrix(m *Matrix) {
	rows, cols := m.N, m.K
	if m.Layout == KN {
		rows, cols = cols, rows
	}
	need := 0
	if rows > 0 && cols > 0 {
		need = ((rows-1)*m.ld() + cols) * m.Type.Size()
	}
	if m.K < 0 || m.N < 0 || m.ld() < cols || len(m.Data) < need {
		panic(fmt.Sprintf("gemm: matrix K=%d N=%d rows %d apart: %d bytes, needs %d", m.K, m.N, m.ld(), len(m.Data), need))
	}
}
