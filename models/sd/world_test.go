package sd

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/tensor"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
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

// worldPipeline loads the scale model's pipeline.
func worldPipeline(t *testing.T, d graph.Device) *Pipeline {
	p, err := Load(d, weights.DiskDir(filepath.Join(shared(t), "world", "bundle")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// TestWorldLatents draws the scale model's eight reference pictures from the
// given noise, on every instruction set, and compares latents and pictures with
// PyTorch's.
func TestWorldLatents(t *testing.T) {
	world := filepath.Join(shared(t), "world")
	golden, err := weights.Open(filepath.Join(world, "reference_sd.safetensors"))
	require.NoError(t, err)
	defer golden.Close()
	var texts []string
	require.NoError(t, json.Unmarshal([]byte(weights.Metadata(golden)["prompts"]), &texts))
	var prompts []Prompt
	for _, text := range texts {
		prompts = append(prompts, Prompt{Text: text})
	}
	read := func(name string) []float32 {
		info, err := golden.Get(name)
		require.NoError(t, err)
		values, err := tensor.FromInfo(info).Float32s()
		require.NoError(t, err)
		return nhwc(values, info.Shape)
	}
	for _, level := range isa.All() {
		n := len(prompts)
		if level == isa.Portable {
			n = 1 // it takes 5 s a picture
		}
		dev, err := cpu.New(cpu.Options{ISA: level.String(), Threads: 2})
		require.NoError(t, err)
		defer dev.Close()
		p := worldPipeline(t, dev)
		pndm, err := os.ReadFile(filepath.Join(world, "bundle", "sd", "scheduler_pndm", "scheduler_config.json"))
		require.NoError(t, err)
		for _, run := range []struct {
			name      string
			guidance  float64
			scheduler []byte
		}{{"ddim_g5", 5, p.sched}, {"pndm_g3", 3, pndm}} {
			p.sched = run.scheduler
			d, err := p.Start(t.Context(), prompts[:n], Settings{Steps: 20, Guidance: run.guidance})
			require.NoError(t, err)
			copy(d.x, read("noise"))
			require.NoError(t, d.load(t.Context()))
			for range d.Steps() {
				require.NoError(t, d.Step(t.Context()))
			}
			z := latents(t, d)
			drawn := relErr(z, read(run.name + "/latents")[:len(z)])
			sample := make([]float32, n*64*64*3)
			for i := range z {
				z[i] /= float32(p.VAE.cfg.Scale)
			}
			require.NoError(t, p.VAE.Decode(t.Context(), sample, z, n, d.h, d.w))
			want := read(run.name + "/image")[:len(sample)]
			decoded := relErr(sample, want)
			t.Logf("%v %s: latents %.2g, pictures %.2g", level, run.name, drawn, decoded)
			require.Less(t, drawn, 1e-3, run.name)
			require.Less(t, decoded, 1e-3, run.name)
			pictures, err := d.Pictures(t.Context())
			require.NoError(t, err)
			far := 0
			for i, v := range want {
				got := pictures[i/(64*64*3)].Pix[i%(64*64*3)]
				if math.Abs(float64(got)-float64(min(max(v/2+0.5, 0), 1))*255) > 0.51 {
					far++
				}
			}
			require.Zero(t, far, "pixels that aren't the nearest level")
		}
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
