//go:build unix

package attn

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"syntic/kernels/par"
)

// guarded returns n floats between two pages that fault when they are touched:
// they end right before the second, or start right after the first.
func guarded(t *testing.T, n int, atEnd bool) []float32 {
	page := unix.Getpagesize()
	body := (4*n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, body+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(m) })
	require.NoError(t, unix.Mprotect(m[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(m[page+body:], unix.PROT_NONE))
	at := page
	if atEnd {
		at = page + body - 4*n
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[at])), n)
}

// Nothing is read or written outside the operands. (The pool's scratch is an
// ordinary slice: the bits of its content are covered by filling it with NaN.)
func TestGuardPages(t *testing.T) {
	pool := par.New(1)
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(13, 14))
		for _, s := range []Spec{
			{B: 1, H: 1, LQ: 1, LK: 3, D: 5}, {B: 2, H: 1, LQ: 1, LK: 13, D: 33}, {B: 1, H: 2, LQ: 9, LK: 5, D: 3},
			{B: 1, H: 1, LQ: 50, LK: 67, D: 41}, {B: 1, H: 3, LQ: 33, LK: 131, D: 8, Causal: true}, {B: 1, H: 1, LQ: 300, LK: 71, D: 23, KeyMask: true},
			{B: 1, H: 2, LQ: 300, LK: 9, D: 40}, {B: 1, H: 1, LQ: 64, LK: 64, D: 16},
		} {
			for _, atEnd := range []bool{false, true} {
				p := newProblem(r, s, s.LK)
				o := New(k, pool, s)
				put := func(x []float32) []float32 {
					g := guarded(t, len(x), atEnd)
					copy(g, x)
					return g
				}
				dst := put(make([]float32, len(p.q)))
				o.Run(dst, put(p.q), put(p.k), put(p.v), put(p.mask), p.lk, put(make([]float32, o.Workspace())))
				require.Less(t, relErr(dst, p.want(nil)), tolerance, p.String())
			}
		}
	})
}
