package sched

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/weights"
)

// shared returns a path in the reference material beside the module.
func shared(t *testing.T, name string) string {
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
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED: no %s", path)
	}
	return path
}

// TestTorchMakesTheWorldsNoise checks the noise of the scale model's reference
// pictures: one call for all eight, seed 1234.
func TestTorchMakesTheWorldsNoise(t *testing.T) {
	f, err := weights.OpenSafetensors(shared(t, "world/reference_sd.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Get("noise")
	require.NoError(t, err)
	want, err := tensor.FromInfo(info).Float32s()
	require.NoError(t, err)
	require.Equal(t, want, drawn(NewTorch(1234), len(want)))
}

// TestWorldConfigs reads the scale model's and Stable Diffusion's own files.
func TestWorldConfigs(t *testing.T) {
	for name, method := range map[string]Method{
		"world/bundle/sd/scheduler/scheduler_config.json":                      DDIM,
		"world/bundle/sd/scheduler_pndm/scheduler_config.json":                 PNDM,
		"golden/configs/stable-diffusion-v1-5/scheduler/scheduler_config.json": PNDM,
	} {
		data, err := os.ReadFile(shared(t, name))
		require.NoError(t, err)
		c, err := ParseConfig(data, "")
		require.NoError(t, err)
		require.Equal(t, method, c.Method)
		require.Equal(t, Config{
			Method: method, TrainSteps: 1000, BetaStart: 0.00085, BetaEnd: 0.012, BetaSchedule: ScaledLinear, Prediction: Epsilon,
			Spacing: Leading, StepsOffset: 1, SkipPRK: method == PNDM, ClipRange: 1, FinalSigma: Zero,
			SolverOrder: 2, SolverType: Midpoint, LowerOrderFinal: true,
		}, c)
	}
}
