package conv

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// eachLevel runs f for every instruction set of this machine.
func eachLevel(t *testing.T, f func(t *testing.T, k *Kernel)) {
	if name := os.Getenv("REQUIRE_ISA"); name != "" {
		_, err := isa.Select(name)
		require.NoError(t, err)
	}
	for _, l := range isa.All() {
		t.Run(l.String(), func(t *testing.T) { f(t, For(l)) })
	}
}

// guarded returns n floats that end where an unmapped page begins, and others
// that begin right after one: an access past either end faults.
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

// relErr is the L2 norm of the difference over that of want.
func relErr(want []float64, got []float32) float64 {
	var d, n float64
	for i, w := range want {
		d += (float64(got[i]) - w) * (float64(got[i]) - w)
		n += w * w
	}
	if n == 0 {
		return math.Sqrt(d)
	}
	return math.Sqrt(d / n)
}

// operands of one convolution, each ending or beginning at an unmapped page.
type operands struct {
	x, w, bias, residual, dst, ws []float32
	norm                          *Norm
}

func makeOperands(t testing.TB, s Spec, seed uint64) *operands {
	r := rand.New(rand.NewPCG(seed, 1))
	g := s.geometry()
	outs, atEnd := g.N*g.OutH()*g.OutW()*g.O, seed%4 != 0
	o := &operands{x: normal(r, guarded(t, g.N*g.H*g.W*g.C, atEnd)), w: normal(r, make([]float32, g.O*g.C/g.Groups*g.KH*g.KW)),
		dst: guarded(t, outs, atEnd)}
	if s.Bias {
		o.bias = normal(r, guarded(t, g.O, atEnd))
	}
	if s.Residual {
		o.residual = normal(r, guarded(t, outs, atEnd))
	}
	if s.Norm {
		o.norm = &Norm{normal(r, guarded(t, g.N*g.C, atEnd)), normal(r, guarded(t, g.N*g.C, atEnd))}
	}
	return o
}

// reference computes s in float64.
func (o *operands) reference(s Spec) []float64 {
	g, x := s.geometry(), o.x
	if s.Norm {
		x = make([]float32, len(o.x))
		ref.ScaleShift(x, o.x, o.norm.Scale, o.norm.Shift, g.N, g.H*g.W, g.C, s.NormAct)
	}
	want := make([]float64, len(o.dst))
	ref.Convolve(want, x, o.w, o.bias, o.residual, g, s.Act)
	return want
}

// run computes s on n workers into o.dst.
func (o *operands) run(t testing.TB, k *Kernel, workers int, s Spec) *Op {
	pool := par.New(workers)
	defer pool.Close()
	op := New(k, pool, s)
	w := op.Pack(o.w)
	for i := range o.dst {
		o.dst[i] = float32(math.NaN())
	}
	ws := guarded(t, op.Workspace(), true)
	op.Run(o.dst, o.x, w, o.bias, o.residual, o.norm, ws)
	return op
}

// sharedDir returns the folder of reference material, or skips.
func sharedDir(t *testing.T) string {
	dir := os.Getenv("SYNTIC_SHARED")
	if dir == "" {
		at, err := os.Getwd()
		require.NoError(t, err)
		for {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				break
			}
			require.NotEqual(t, at, filepath.Dir(at), "no go.mod above the test")
			at = filepath.Dir(at)
		}
		dir = filepath.Join(at, "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "golden", "manifest.json")); err != nil {
		require.NotEqual(t, "1", os.Getenv("SYNTIC_REQUIRE_SHARED"), "reference material is required: %v", err)
		t.Skip("NOT CHECKED: convolution goldens (set SYNTIC_SHARED to the folder that holds golden/)")
	}
	return dir
}

// readSafetensors returns a reader of the file's float32 tensors.
func readSafetensors(t *testing.T, path string) func(name string) []float32 {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Dtype   string `json:"dtype"`
		Offsets [2]int `json:"data_offsets"`
	}
	require.NoError(t, json.Unmarshal(data[8:8+n], &header))
	return func(name string) []float32 {
		h, ok := header[name]
		require.True(t, ok, name)
		require.Equal(t, "F32", h.Dtype, name)
		raw := data[8+n:][h.Offsets[0]:h.Offsets[1]]
		x := make([]float32, len(raw)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return x
	}
}

// toNHWC and toNCHW permute [n,c,h,w] and back.
func toNHWC(x []float32, n, c, h, w int) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		b, ch, p := i/(c*h*w), i/(h*w)%c, i%(h*w)
		y[(b*h*w+p)*c+ch] = v
	}
	return y
}
