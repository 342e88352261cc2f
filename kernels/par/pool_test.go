package par

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestRunCallsEveryTileOnce(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		p := New(n)
		for _, tiles := range []int{0, 1, 2, 3, 7, 1000} {
			for range 50 {
				hits := make([]atomic.Int32, tiles)
				p.Run(tiles, func(w, i int) {
					if w < 0 || w >= n {
						t.Errorf("worker %d of %d", w, n)
					}
					hits[i].Add(1)
				})
				for i := range hits {
					require.EqualValues(t, 1, hits[i].Load())
				}
			}
		}
		p.Close()
	}
}

func TestRunAfterParking(t *testing.T) {
	p := New(4)
	defer p.Close()
	var sum atomic.Int64
	for range 20 {
		time.Sleep(2 * spinTime) // long enough for workers to park
		p.Run(64, func(_, i int) { sum.Add(int64(i)); runtime.Gosched() })
	}
	require.EqualValues(t, 20*64*63/2, sum.Load())
}

func TestPanicReachesTheCaller(t *testing.T) {
	p := New(3)
	defer p.Close()
	for range 100 {
		require.PanicsWithValue(t, "tile 5", func() {
			p.Run(10, func(_, i int) {
				if i == 5 {
					panic("tile 5")
				}
			})
		})
		var n atomic.Int32
		p.Run(10, func(_, _ int) { n.Add(1) })
		require.EqualValues(t, 10, n.Load(), "the pool works after a panic")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	var n atomic.Int64
	fn := func(_, _ int) { n.Add(1) }
	require.Zero(t, testing.AllocsPerRun(200, func() { p.Run(16, fn) }))
}

func TestScratchIsAlignedAndSeparate(t *testing.T) {
	p := New(3)
	defer p.Close()
	p.Reserve(1001)
	for w := range 3 {
		s := p.Scratch(w)
		require.GreaterOrEqual(t, len(s), 1001)
		require.Zero(t, uintptr(unsafe.Pointer(&s[0]))%64)
		for i := range s {
			s[i] = float32(w)
		}
	}
	for w := range 3 {
		require.EqualValues(t, w, p.Scratch(w)[500])
	}
	before := &p.Scratch(0)[0]
	p.Reserve(10)
	require.Same(t, before, &p.Scratch(0)[0], "a smaller reservation keeps the buffer")
}

func TestAllocGivesSeparateAlignedZeros(t *testing.T) {
	p := New(1)
	defer p.Close()
	var all [][]float32
	for _, n := range []int{1, 17, 1000, slabSize / 5, slabSize / 5, slabSize/4 - 1, slabSize, 3} {
		s := p.Alloc(n)
		require.Len(t, s, n)
		require.Zero(t, uintptr(unsafe.Pointer(&s[0]))%64)
		require.Zero(t, s[0])
		require.Zero(t, s[n-1])
		for i := range s {
			s[i] = float32(n)
		}
		all = append(all, s)
	}
	for _, s := range all {
		require.EqualValues(t, len(s), s[0])
		require.EqualValues(t, len(s), s[len(s)-1])
	}
	require.Empty(t, p.Alloc(0))
	require.Empty(t, Aligned(0))
	require.Zero(t, uintptr(unsafe.Pointer(&Huge(hugePage)[0]))%hugePage)
}

func BenchmarkRunTwoTiles(b *testing.B) {
	p := New(2)
	defer p.Close()
	fn := func(_, _ int) {}
	for b.Loop() {
		p.Run(2, fn)
	}
}
