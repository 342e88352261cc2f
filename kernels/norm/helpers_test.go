package norm

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

// guarded returns n floats between unmapped pages: an access past the end
// faults, or one before the start when atEnd is false.
func guarded(t testing.TB, n int, atEnd bool) []float32 {
	p := os.Getpagesize()
	size := (4*n+p-1)/p*p + 2*p
	m, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	require.NoError(t, syscall.Mprotect(m[:p], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(m[size-p:], syscall.PROT_NONE))
	at := p
	if atEnd {
		at = size - p - 4*n
	}
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(m)), at)), n)
}

func rng(n int) *rand.Rand { return rand.New(rand.NewPCG(uint64(n), 7)) }

func normal(r *rand.Rand, x []float32) []float32 {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func sameBits(t testing.TB, want, got []float32, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if math.Float32bits(w) != math.Float32bits(got[i]) && (w == w || got[i] == got[i]) {
			require.Failf(t, "bits differ", "at %d of %d: want %g, got %g %v", i, len(want), w, got[i], msg)
		}
	}
}

// relErr is the L2 norm of the difference over that of want; NaN counts as
// equal to NaN alone.
func relErr(want []float64, got []float32) float64 {
	var d, n float64
	for i, w := range want {
		g := float64(got[i])
		switch {
		case w != w && g != g:
		case w != w || g != g:
			return math.Inf(1)
		default:
			d += (g - w) * (g - w)
			n += w * w
		}
	}
	if d == 0 {
		return 0
	}
	return math.Sqrt(d / max(n, 1e-300))
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// goldens reads the tensors of one shared file; nil without shared material.
func goldens(t *testing.T, name string) map[string][]float32 {
	raw, err := os.ReadFile(filepath.Join(sharedDir(), "golden/ops", name+".safetensors"))
	if err != nil {
		require.Empty(t, os.Getenv("SYNTIC_REQUIRE_SHARED"), "golden/ops/%s is required: %v", name, err)
		t.Skipf("golden/ops/%s is absent: the agreement with PyTorch is not checked", name)
	}
	n := binary.LittleEndian.Uint64(raw)
	var header map[string]struct {
		Dtype string `json:"dtype"`
		At    [2]int `json:"data_offsets"`
	}
	var meta map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw[8:8+n], &meta))
	delete(meta, "__metadata__")
	rest, err := json.Marshal(meta)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(rest, &header))
	out := map[string][]float32{}
	for k, h := range header {
		b := raw[8+int(n)+h.At[0] : 8+int(n)+h.At[1]]
		var v []float32
		switch h.Dtype {
		case "F32":
			for ; len(b) > 0; b = b[4:] {
				v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case "I64":
			for ; len(b) > 0; b = b[8:] {
				v = append(v, float32(int64(binary.LittleEndian.Uint64(b))))
			}
		}
		out[k] = v
	}
	return out
}

// sharedDir is SYNTIC_SHARED, or shared beside the module's root.
func sharedDir() string {
	if d := os.Getenv("SYNTIC_SHARED"); d != "" {
		return d
	}
	dir, _ := os.Getwd()
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	return filepath.Join(dir, "..", "shared")
}
