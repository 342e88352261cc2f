//go:build unix

package gemm

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"syntic/kernels/par"
	"syntic/kernels/ref"

	"github.com/stretchr/testify/require"
)

// guarded returns n bytes that end where a page begins that can't be touched,
// or begin where one ends.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(m)) })
	require.NoError(t, syscall.Mprotect(m[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(m[page+size:], syscall.PROT_NONE))
	if atEnd {
		return m[page+size-n : page+size : page+size]
	}
	return m[page : page+n : page+n]
}

func guardedFloats(t *testing.T, values []float32, atEnd bool) []float32 {
	b := guarded(t, 4*len(values), atEnd)
	f := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(values))
	copy(f, values)
	return f
}

// Reading or writing past an operand is a fault here.
func TestStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(1)
		defer pool.Close()
		r := rand.New(rand.NewPCG(15, 16))
		for _, atEnd := range []bool{true, false} {
			for _, M := range []int{1, 2, k.mr, k.mr + 1} {
				for _, N := range []int{1, k.nr - 1, k.nr, k.nr + 1, 4*k.nr + 5} {
					for _, K := range []int{1, 3, 16, 257} {
						g := func(n int) []float32 { return guardedFloats(t, random(r, n), atEnd) }
						a, b, c, bias, res := g(M*K), g(K*N), g(M*N), g(N), g(M*N)
						packed, ws := g(k.PackedLen(K, N)), g(k.WorkLen())
						for _, layout := range []Layout{NK, KN} {
							k.PackInto(packed, b, 0, layout, K, N)
						}
						w := k.View(packed, K, N)
						k.Block(c, N, a, K, &w, M, 0, N, &Epilogue{Scale: 2, Bias: bias, Residual: res, LDR: N, Act: ref.GELU}, ws)
						for _, typ := range types {
							data := guarded(t, N*K*typ.Size(), atEnd)
							m := Matrix{Data: data, Type: typ, Layout: NK, K: K, N: N}
							h := k.Pack(pool, m, typ)
							if typ != F32 {
								h.h = unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(guarded(t, h.Bytes(), atEnd)))), len(h.h))
							}
							k.Block(c, N, a, K, h, M, 0, N, &Epilogue{}, ws)
							rows := NewRows(k, pool, m, M)
							rows.Dots(c, N, a, K, M, 0, N)
							rows.Sum(a, K, c, N, M, 0, N)
						}
					}
				}
			}
		}
	})
}
