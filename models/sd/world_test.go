package sd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/weights"
)

// shared returns the folder of the shared reference material.
func shared(t *testing.T) string {
	dir := os.Getenv("SYNTIC_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "world")); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("the shared reference material is required and isn't at %s", dir)
		}
		t.Skipf("no shared reference material at %s: that our pictures equal PyTorch's is NOT checked", dir)
	}
	return dir
}

// TestWorldPictures decodes the final latents that PyTorch's pipelines reached
// with the scale model, and compares the pictures.
func TestWorldPictures(t *testing.T) {
	world := filepath.Join(shared(t), "world")
	part := filepath.Join(world, "bundle", "sd", "vae")
	config, err := os.ReadFile(filepath.Join(part, "config.json"))
	require.NoError(t, err)
	src, err := weights.Open(part)
	require.NoError(t, err)
	defer src.Close()
	v, err := LoadVAE(device(t, 2), config, weights.Canonical(src, weights.FamilyVAE))
	require.NoError(t, err)
	defer v.Close()
	golden, err := weights.Open(filepath.Join(world, "reference_sd.safetensors"))
	require.NoError(t, err)
	defer golden.Close()
	read := func(name string) ([]float32, []int) {
		info, err := golden.Get(name)
		require.NoError(t, err)
		values, err := tensor.FromInfo(info).Float32s()
		require.NoError(t, err)
		return values, info.Shape
	}
	for _, run := range []string{"ddim_g5", "pndm_g3"} {
		latents, s := read(run + "/latents")
		want, o := read(run + "/image")
		z := nhwc(latents, s)
		for i := range z {
			z[i] /= float32(v.cfg.Scale)
		}
		sample := make([]float32, len(want))
		require.NoError(t, v.Decode(t.Context(), sample, z, s[0], s[2], s[3]))
		require.Less(t, relErr(sample, nhwc(want, o)), 1e-5, run)
	}
}

// nhwc returns [N,C,H,W] values as [N,H,W,C].
func nhwc(v []float32, s []int) []float32 {
	c, hw := s[1], s[2]*s[3]
	out := make([]float32, len(v))
	for i := range out {
		n, p := i/(c*hw), i%(c*hw)
		out[i] = v[n*c*hw+p%c*hw+p/c]
	}
	return out
}
