package verify

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/isa"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/weights"
)

// golden returns the golden directory, which lies beside the module.
func golden(t testing.TB) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
		}
		root = filepath.Join(dir, "..", "shared")
	}
	dir := filepath.Join(root, "golden")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED against PyTorch's golden tensors: no %s", dir)
	}
	return dir
}

// device makes devices of one instruction set.
func device(isa string) func() (graph.Device, error) {
	return func() (graph.Device, error) { return cpu.New(cpu.Options{ISA: isa}) }
}

// replay runs the selected cases, fails the test for each that fails, and logs
// the one nearest to its tolerance.
func replay(t *testing.T, only string, o Options, least int) {
	t.Helper()
	o.Only = regexp.MustCompile(only)
	n, worst := 0, Result{}
	ratio := -1.0
	require.NoError(t, Run(t.Context(), golden(t), o, func(r Result) {
		n++
		if !r.Pass {
			t.Errorf("%s: relerr %.3g, tolerance %.3g: %s", r.ID, r.RelErr, r.Tol, r.Note)
		}
		if q := r.RelErr / r.Tol; r.Tol > 0 && q > ratio {
			ratio, worst = q, r
		}
	}))
	require.GreaterOrEqual(t, n, least, "cases that %s selects", only)
	if ratio > 0 {
		t.Logf("%d cases; the worst is %s %s: %.3g of %.3g (%.0f %%)", n, worst.ID, worst.Note, worst.RelErr, worst.Tol, 100*ratio)
	} else {
		t.Logf("%d cases, all exact", n)
	}
	runtime.GC() // the largest models' weights, before the next ones are made
}

// modelCases are the cases that a device computes. Full-size ones take minutes
// on the portable kernels; there, unless SYNTIC_VERIFY_ALL is 1, the marked
// ones alone run.
var modelCases = []struct {
	name, only      string
	least           int
	skippedPortable bool
}{
	{"clip_tiny", "^tiny/clip/", 7, false},
	{"clip_image", "^full/clip/image$", 1, false},
	{"clip_text", "^full/clip/(text|similarity)$", 2, true},
	{"sdtext", "^(tiny|full)/sdtext", 2, true},
	{"unet_tiny", "^tiny/unet/", 4, false},
	{"vae_tiny", "^tiny/vae/", 6, false},
	{"vae_small", "^full/vae/.*_small$", 2, true},
	{"detr_tiny", "^tiny/detr/", 5, false},
	{"detr_full", "^full/detr/", 2, true},
	{"decoder_tiny", "^tiny/decap/", 35, false},
	{"decoder_full", "^full/decap/(logits|prefix_only)$", 2, true},
	{"decoder_greedy", "^full/decap/greedy", 3, true},
	{"decoder_beams", "^full/decap/beam", 6, true},
}

func TestModels(t *testing.T) {
	for _, table := range kernels.All() {
		isa := table.ISA.String()
		t.Run(isa, func(t *testing.T) {
			for _, g := range modelCases {
				t.Run(g.name, func(t *testing.T) {
					if g.skippedPortable && isa == "portable" && os.Getenv("SYNTIC_VERIFY_ALL") != "1" {
						t.Skipf("NOT CHECKED: %s on the portable kernels; set SYNTIC_VERIFY_ALL=1", g.only)
					}
					replay(t, g.only, Options{Device: device(isa)}, g.least)
				})
			}
		})
	}
}

// TestNarrow checks the models in bfloat16 and int8, those of a picture at full size
// too.
func TestNarrow(t *testing.T) {
	for name, p := range map[string]struct {
		precision cpu.Precision
		have      []isa.Products
		least     float64
	}{"bf16": {cpu.BF16, isa.BF16(), BF16}, "int8": {cpu.Int8, isa.Int8(), Int8}} {
		t.Run(name, func(t *testing.T) {
			if len(p.have) == 0 {
				t.Skipf("NOT CHECKED: this CPU or system has no products of %s", name)
			}
			d := func() (graph.Device, error) { return cpu.New(cpu.Options{Precision: p.precision}) }
			replay(t, "^tiny/|^full/(clip/image|sdtext|detr/single|vae/.*_small)$", Options{Device: d, Least: p.least}, 60)
		})
	}
}

func TestPreprocessing(t *testing.T) { replay(t, "^pre/", Options{}, 55) }

func TestTokenizer(t *testing.T) { replay(t, "^tokenizer/", Options{}, 300) }

func TestNames(t *testing.T) { replay(t, "^names/", Options{}, 17) }

// TestUNet takes 10 GB and a minute of CPU time, so it is asked for.
func TestUNet(t *testing.T) {
	if os.Getenv("SYNTIC_VERIFY_ALL") != "1" {
		t.Skip("NOT CHECKED: the full-size UNet and the 512x512 decoder; set SYNTIC_VERIFY_ALL=1")
	}
	replay(t, "^full/(unet|vae)/", Options{Device: device("")}, 8)
}

// TestUnbuilt checks that a kind without a model fails and says so.
func TestUnbuilt(t *testing.T) {
	n := 0
	require.NoError(t, Run(t.Context(), golden(t), Options{Only: regexp.MustCompile("^loss/")}, func(r Result) {
		n++
		require.False(t, r.Pass, r.ID)
		require.Contains(t, r.Note, "isn't built yet", r.ID)
	}))
	require.Equal(t, 14, n)
}

// TestImpossibleCase checks that a case which makes a kernel panic fails alone.
func TestImpossibleCase(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, weights.Write(filepath.Join(dir, "g.safetensors"), []weights.Info{
		{Name: "none", Shape: []int{0, 12}}, {Name: "ids", DType: weights.I64, Shape: []int{0, 0}}, f32("x", 1),
	}, nil))
	config, err := os.ReadFile(filepath.Join(golden(t), "tiny/decap/config.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"version": 1, "global_seed": "1", "entries": [
		{"id": "a", "file": "g.safetensors", "model": "decap-gpt2", "config": "config.json", "weights": "synthetic",
		 "inputs": {"clip_features": {"tensor": "none", "shape": [0,12]}, "tokens": {"tensor": "ids", "shape": [0,0]}}, "outputs": {"logits": {"tensor": "x", "shape": [1]}}},
		{"id": "b", "file": "missing.safetensors", "model": "decap-gpt2", "config": "config.json", "weights": "synthetic",
		 "inputs": {"clip_features": {"tensor": "x", "shape": [1]}}, "outputs": {"logits": {"tensor": "x", "shape": [1]}}},
		{"id": "c", "file": "g.safetensors", "model": "clip", "config": "none.json", "weights": "synthetic", "outputs": {}}]}`), 0o600))
	var failed []string
	require.NoError(t, Run(t.Context(), dir, Options{Device: device("")}, func(r Result) {
		require.False(t, r.Pass)
		require.NotEmpty(t, r.Note)
		failed = append(failed, r.ID)
	}))
	require.Equal(t, []string{"a", "b", "c"}, failed)
}

func TestNothingSelected(t *testing.T) {
	err := Run(t.Context(), golden(t), Options{Only: regexp.MustCompile("^no such case$")}, func(Result) { t.Fail() })
	require.ErrorIs(t, err, ErrNone)
	err = Run(t.Context(), t.TempDir(), Options{}, func(Result) { t.Fail() })
	require.ErrorContains(t, err, "manifest.json")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := Run(ctx, golden(t), Options{Only: regexp.MustCompile("^pre/pil/")}, func(Result) {
		n++
		cancel()
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, n)
}
