//go:build cuda && linux

package cuda

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/sd"
	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/tools/world"
)

// TestDrawing takes the scale model's pictures from noise and from a picture to the
// end, on latents that never leave the GPU, and compares with the CPU's.
func TestDrawing(t *testing.T) {
	need(t)
	prompts := []sd.Prompt{{Text: "a dog", Seed: 1}, {Text: "a red car", Seed: 2}, {Text: "a dog", Seed: 3}}
	draw := func(d graph.Device, s sd.Settings) ([]float32, []*vision.Picture) {
		p, err := sd.Load(d, world.Model())
		require.NoError(t, err)
		defer p.Close()
		drawing, err := p.Start(t.Context(), prompts, s)
		require.NoError(t, err)
		for range drawing.Steps() {
			require.NoError(t, drawing.Step(t.Context()))
		}
		x, err := drawing.Latents(t.Context())
		require.NoError(t, err)
		pictures, err := drawing.Pictures(t.Context())
		require.NoError(t, err)
		return slices.Clone(x), pictures
	}
	c, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer c.Close()
	for _, s := range []sd.Settings{
		{Steps: 2, Guidance: 5, Scheduler: "euler-a", Width: 32, Height: 32},
		{Steps: 4, Guidance: 1, Scheduler: "dpm++2m", Width: 24, Height: 32, Init: vision.NewPicture(24, 32), Strength: 0.75},
	} {
		want, _ := draw(c, s)
		for _, o := range []Options{{}, {Precision: F16}} {
			got, pictures := draw(device(t, o), s)
			require.Len(t, pictures, len(prompts))
			diff, norm := 0.0, 0.0
			for i, w := range want {
				diff += math.Pow(float64(got[i]-w), 2)
				norm += float64(w) * float64(w)
			}
			e := math.Sqrt(diff / norm)
			t.Logf("%s in %v: %.2g", s.Scheduler, o.Precision, e)
			require.Less(t, e, map[Precision]float64{F32: 1e-5, F16: 1e-2}[o.Precision])
		}
	}
}
