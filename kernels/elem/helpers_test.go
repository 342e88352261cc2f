package elem

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

// lengths covers every tail, several unrolled loops and more than one call.
func lengths() []int {
	ns := []int{127, 255, 257, 1001, callLen - 1, callLen + 37, 2*callLen + 5}
	for n := range 101 {
		ns = append(ns, n)
	}
	return ns
}

// page is memory of which an access past either end faults.
type page struct{ b []byte }

func newPage(t testing.TB, size int) page {
	p := os.Getpagesize()
	size = (size + p - 1) / p * p
	m, err := syscall.Mmap(-1, 0, size+2*p, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	require.NoError(t, syscall.Mprotect(m[:p], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(m[size+p:], syscall.PROT_NONE))
	return page{m[p : p+size]}
}

// floats returns n floats at the end of the page, or at its start.
func (p page) floats(n int, atEnd bool) []float32 {
	at := 0
	if atEnd {
		at = len(p.b) - 4*n
	}
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(p.b)), at)), n)
}

func (p page) bytes(n int, atEnd bool) []byte {
	if atEnd {
		return p.b[len(p.b)-n:]
	}
	return p.b[:n]
}

func normal(r *rand.Rand, x []float32) []float32 {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func rng(n int) *rand.Rand { return rand.New(rand.NewPCG(uint64(n), 7)) }

// ulps is the distance of got from want in units of want's last place, where
// subnormal numbers count as spaced by 2^-149. Equal infinities and two NaNs
// are 0 apart.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	switch {
	case got != got || w != w:
		if got != got && w != w {
			return 0
		}
		return math.Inf(1)
	case math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0):
		if got == w {
			return 0
		}
		return math.Inf(1)
	}
	_, e := math.Frexp(float64(w))
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// sameBits fails unless both hold the same bits; any two NaNs are the same.
func sameBits(t testing.TB, want, got []float32, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if math.Float32bits(w) != math.Float32bits(got[i]) && (w == w || got[i] == got[i]) {
			require.Failf(t, "bits differ", "at %d of %d: want %x (%g), got %x (%g) %v", i, len(want),
				math.Float32bits(w), w, math.Float32bits(got[i]), got[i], msg)
		}
	}
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

// relErr is the L2 norm of the difference over that of want.
func relErr(want, got []float32) float64 {
	var d, n float64
	for i, w := range want {
		d += (float64(got[i]) - float64(w)) * (float64(got[i]) - float64(w))
		n += float64(w) * float64(w)
	}
	return math.Sqrt(d / max(n, 1e-300))
}
