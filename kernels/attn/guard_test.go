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

// Nothing is read or written outside the operands.
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

// Nor do the inner loops leave the scratch that they are given.
func TestGuardPagesAroundScratch(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		w := k.lanes
		for _, atEnd := range []bool{false, true} {
			x := func(n int) *float32 { return &guarded(t, n, atEnd)[0] }
			for _, d := range []int{1, 7, 8, 16, 33} {
				for _, n := range []int{1, 5, 8, 11, 17} {
					stride := d + 3
					rows := (n-1)*stride + d
					k.dots(x(n), x(d), x(rows), stride, n, d)
					k.accum(x(d), x(n), x(rows), stride, n, d)
					k.softmax(x(n*w), n, 1)
					for vecs := 1; vecs <= maxVecs && k.scores[1] != nil; vecs++ {
						wide := vecs * w
						k.scores[vecs](x(n*wide), x(d*wide), x(rows), stride, n, d)
						k.online(x(n*wide), x(wide), x(wide), x(wide), vecs, n)
						k.values[vecs](x(d*wide), x(n*wide), x(rows), x(wide), stride, n, d)
					}
				}
				if k.transpose != nil {
					depth, rows := (d+w-1)/w*w, (w-1)*(d+3)+d
					k.transpose(x(depth*w), x(rows), x(w), w, d+3, w*w, w, d, 0)
					k.transpose(x(rows), x(depth*w), x(w), d+3, w, w, w*w, d, 1)
				}
			}
		}
	})
}
