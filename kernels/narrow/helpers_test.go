//go:build unix

package narrow

import (
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/kernels/ref"
)

// eachKernel runs f for every kind of instructions of this machine.
func eachKernel(t *testing.T, f func(t *testing.T, k *Kernel)) {
	for _, p := range []isa.Products{isa.AVX512BF16, isa.AMXBF16, isa.AVX512VNNI} {
		t.Run(p.String(), func(t *testing.T) {
			for _, q := range append(isa.BF16(), isa.Int8()...) {
				if p == q {
					f(t, For(p))
					return
				}
			}
			t.Skipf("NOT CHECKED: this CPU or system lacks %s", p)
		})
	}
}

// guarded returns n floats that end where an unmapped page begins, or begin
// right after one: an access past that end faults.
func guarded(t testing.TB, n int, atEnd bool) []float32 {
	page := os.Getpagesize()
	size := (4*n+page-1)/page*page + 2*page
	m, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	require.NoError(t, syscall.Mprotect(m[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(m[size-page:], syscall.PROT_NONE))
	at := page
	if atEnd {
		at = size - page - 4*n
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[at])), n)
}

func normal(r *rand.Rand, x []float32) []float32 {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// nan fills x, so that what isn't written is seen.
func nan(x []float32) []float32 {
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return x
}

// relErr is the L2 norm of the difference over that of want.
func relErr(want, got []float32) float64 {
	var d, n float64
	for i, w := range want {
		e := float64(got[i]) - float64(w)
		d, n = d+e*e, n+float64(w)*float64(w)
	}
	return math.Sqrt(d / n)
}

func same(t *testing.T, want, got []float32, what string) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			require.Failf(t, "other bits", "%s: element %d: %v, then %v", what, i, want[i], got[i])
		}
	}
}

// round returns rows of c values rounded as the kernel rounds them.
func (k *Kernel) round(x []float32, c int, weights bool) []float32 {
	y := make([]float32, len(x))
	f := k.format(c)
	if !f.int8 {
		ref.RoundBF16(y, x)
		return y
	}
	for i := 0; i < len(x); i += c {
		ref.RoundInt8(y[i:i+c], x[i:i+c], f.deep, weights)
	}
	return y
}

// transposed returns the transposed matrix of rows of n values.
func transposed(x []float32, n int) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i%n*(len(x)/n)+i/n] = v
	}
	return y
}

// sumError bounds the relative error of float32 sums of up to 12000 products.
const sumError = 3e-6
