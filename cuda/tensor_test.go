//go:build cuda && linux

package cuda

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/kernels/elem"
	"syntic/kernels/isa"
	"syntic/tensor/graph"
)

// hand launches kernels by hand.
type hand struct {
	*testing.T
	d    *Device
	bf16 bool
	list cux.List
}

func newHand(t *testing.T, bf16 bool) *hand {
	d := device(t, Options{})
	leave, err := d.enter()
	require.NoError(t, err)
	t.Cleanup(leave)
	return &hand{T: t, d: d, bf16: bf16}
}

// upload copies bytes to memory that lives as long as the test.
func (h *hand) upload(b []byte) cu.DevicePtr {
	p, err := h.d.alloc(len(b))
	require.NoError(h, err)
	h.Cleanup(func() { require.NoError(h, cu.MemFree(p)) })
	require.NoError(h, cu.MemcpyHtoD(p, unsafe.Pointer(&b[0]), int64(len(b))))
	return p
}

func (h *hand) floats(v []float32) cu.DevicePtr { return h.upload(bytesOf(v)) }

func (h *hand) halves(v []float32) cu.DevicePtr {
	level, err := isa.Best()
	require.NoError(h, err)
	b, narrow := make([]byte, 2*len(v)), elem.For(level).ToF16
	if h.bf16 {
		narrow = elem.For(level).ToBF16
	}
	narrow(b, v)
	return h.upload(b)
}

func (h *hand) rows(p cu.DevicePtr, cols, rows, box int) cux.TensorMap {
	m, err := cux.EncodeHalves(p, []int{cols, rows}, []int{2 * cols}, []int{64, box}, []int{1, 1})
	require.NoError(h, err)
	return m
}

func (h *hand) launch(kernel string, g cux.Grid, a *cux.Args) {
	f, err := h.d.kernel(kernel, g.Shared)
	require.NoError(h, err)
	h.list.Kernel(kernel, f, g, a)
}

// twice runs the list as a captured graph and again, and returns the floats at p,
// which it clears before each run.
func (h *hand) twice(p cu.DevicePtr, n int) []float32 {
	r, err := cux.NewReplay(h.d.ctx, h.d.stream, h.list, true, h.d.overlap)
	require.NoError(h, err)
	defer r.Close()
	require.True(h, r.Graph())
	var first []float32
	for range 2 {
		require.NoError(h, cux.Zero(p, 4*n))
		require.NoError(h, r.Run())
		v := make([]float32, n)
		require.NoError(h, cu.MemcpyDtoH(unsafe.Pointer(&v[0]), p, int64(4*n)))
		if first != nil {
			require.Equal(h, first, v)
		}
		first = v
	}
	return first
}

// eighths returns values that products keep exact in float32.
func eighths(n, seed int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32((i*i*7+i*seed)%17-8) / 8
	}
	return v
}

func dot(x, y []float32) (s float32) {
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

// TestSplitProducts has blocks share a tile's sums along K, for a product and for 3x3
// taps: exact sums whatever the split.
func TestSplitProducts(t *testing.T) {
	const m, n, k, splits = 70, 136, 200, 3
	x, w, bias := eighths(m*k, 3), eighths(n*k, 5), eighths(n, 1)
	want := make([]float32, m*n)
	for i := range want {
		want[i] = dot(x[i/n*k:][:k], w[i%n*k:][:k]) + bias[i%n]
	}
	h := newHand(t, true)
	out := h.floats(make([]float32, m*n))
	g := gemmArgs{
		e: epilogue{out: out, bias: h.floats(bias), n: n, ldc: n, eachRows: 1, flags: outF32, alpha: 1},
		a: h.halves(x), w: h.halves(w), part: h.floats(make([]float32, splits*m*n)),
		m: m, nw: n, k: k, lda: k, ldw: k, splits: splits,
	}
	a := cux.Put(cux.Put(new(cux.Args), h.rows(g.a, k, m, 128)), h.rows(g.w, k, n, 128))
	h.launch("tc_gemm90_bf16_128x128", cux.Grid{X: 4, Threads: 384, Shared: hopperTiles[0].shared()}, cux.Put(a, g))
	f := finishArgs{e: g.e, part: g.part, m: m, nw: n, splits: splits}
	h.launch("tc_finish_bf16", cux.Grid{X: ceil(m*n/8, threads), Threads: threads}, cux.Put(new(cux.Args), f))
	require.Equal(t, want, h.twice(out, m*n))
}

// TestAttentionOfHalves compares the kernels for few keys and for many, on Hopper and
// before, with the definition.
func TestAttentionOfHalves(t *testing.T) {
	for _, c := range []struct {
		capability string
		keys       int
	}{{"90", 150}, {"80", 150}, {"80", 60}} {
		t.Run(fmt.Sprintf("%d keys on %s", c.keys, c.capability), func(t *testing.T) {
			const lq, heads, dim, row = 5, 2, 40, 80
			q, kv := eighths(lq*row, 3), eighths(c.keys*row, 5)
			want := make([]float32, lq*row)
			for i := range lq * heads {
				at, sum := i/heads*row+i%heads*dim, 0.0
				acc := make([]float64, dim)
				for j := range c.keys {
					key := kv[j*row+i%heads*dim:][:dim]
					p := math.Exp(float64(dot(q[at:][:dim], key)) / math.Sqrt(dim))
					sum += p
					for k := range acc {
						acc[k] += p * float64(key[k])
					}
				}
				for k := range acc {
					want[at+k] = float32(acc[k] / sum)
				}
			}
			t.Setenv("CUDA_EMU_CAPABILITY", c.capability)
			h := newHand(t, false)
			h.d.opts.Precision = F16
			out, keys := h.floats(make([]float32, lq*row/2)), h.halves(kv)
			g := attnArgs{out: out, q: h.halves(q), k: keys, v: keys, lq: lq, lk: int32(c.keys), strideQ: row, strideK: row, strideV: row, strideO: row, scale: inverseRoot(dim)}
			m := memory{dev: h.d}
			m.attend(g, &graph.AttentionOp{B: 1, LQ: lq, LK: c.keys, Heads: heads, D: dim, StrideQ: row, StrideK: row, StrideV: row})
			require.NoError(t, m.err)
			h.list = m.list
			got := make([]float32, lq*row)
			level, err := isa.Best()
			require.NoError(t, err)
			elem.For(level).FromF16(got, bytesOf(h.twice(out, lq*row/2)))
			require.InDeltaSlice(t, want, got, 2e-3)
		})
	}
}

// TestSharedMemory launches with more shared memory than was allowed.
func TestSharedMemory(t *testing.T) {
	const kernel = "tc_gemm90_f16_128x128"
	bytes := hopperTiles[0].shared()
	h := newHand(t, false)
	f, err := h.d.function(kernel)
	require.NoError(t, err)
	var none cux.TensorMap
	h.list.Kernel(kernel, f, cux.Grid{X: 1, Threads: 384, Shared: bytes}, cux.Put(cux.Put(cux.Put(new(cux.Args), none), none), gemmArgs{}))
	capture := func() error {
		r, err := cux.NewReplay(h.d.ctx, h.d.stream, h.list, true, false)
		require.NoError(t, r.Close())
		return err
	}
	require.ErrorContains(t, capture(), kernel+": CUDA_ERROR_INVALID_VALUE")
	require.Error(t, cux.AllowShared(f, 227<<10+1))
	require.ErrorContains(t, capture(), "CUDA_ERROR_INVALID_VALUE")
	require.NoError(t, cux.AllowShared(f, bytes))
	require.NoError(t, capture())
}

// TestCapabilities opens GPUs of each generation, which find the kernels that the
// embedded code has for them and no others.
func TestCapabilities(t *testing.T) {
	need(t)
	for _, c := range []int{75, 80, 86, 87, 89, 90, 100, 120} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Setenv("CUDA_EMU_CAPABILITY", fmt.Sprint(c))
			h := newHand(t, false)
			for kernel, there := range map[string]bool{"unary": true, "tc_gemm_f16_64": c >= 80, "tc_none": false, "tc_gemm90_f16_128x128": c == 90, "tc_attn90_bf16_80": c == 90} {
				_, err := h.d.function(kernel)
				if there {
					require.NoError(t, err, kernel)
				} else {
					require.ErrorContains(t, err, "CUDA_ERROR_NOT_FOUND", kernel)
				}
			}
		})
	}
	t.Setenv("CUDA_EMU_CAPABILITY", "70")
	_, err := New(Options{Driver: driver})
	require.ErrorContains(t, err, "need 7.5")
}
