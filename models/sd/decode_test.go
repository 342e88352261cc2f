package sd

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
	"syntic/tensor/graph"
)

// wide is a device that likes large batches, as a GPU does.
type wide struct{ graph.Device }

func (wide) Batch() int { return 256 }

// TestDecodingTogether: the same pictures however many latents are decoded at a
// time, and as many pictures where that doesn't divide them.
func TestDecodingTogether(t *testing.T) {
	prompts := make([]Prompt, 5)
	for i := range prompts {
		prompts[i] = Prompt{Text: "a dog", Seed: uint64(i)}
	}
	s := Settings{Steps: 2, Guidance: 1}
	one, all := scale(t, device(t, 1)), scale(t, wide{device(t, 2)})
	want, err := one.Draw(t.Context(), prompts, s, nil)
	require.NoError(t, err)
	got, err := all.Draw(t.Context(), prompts, s, nil)
	require.NoError(t, err)
	require.Equal(t, want, got)
	d, err := all.Start(t.Context(), prompts, s)
	require.NoError(t, err)
	for range d.Steps() {
		require.NoError(t, d.Step(t.Context()))
	}
	for together := 1; together <= 5; together++ {
		got, err := d.decode(t.Context(), latents(t, d), d.h, d.w, together, false)
		require.NoError(t, err)
		require.Equal(t, want, got, together)
	}
}

// TestTogether: as many as the device likes of a size, in equal batches, and the
// plan knows.
func TestTogether(t *testing.T) {
	one, all := scale(t, device(t, 1)), scale(t, wide{device(t, 1)})
	big := Settings{Width: 512, Height: 512, Steps: 1, Guidance: 1}
	require.Equal(t, 1, one.together(64, big))
	for n, want := range map[int]int{1: 1, 8: 8, 9: 5, 11: 6, 16: 8, 64: 8} {
		require.Equal(t, want, all.together(n, big), n)
	}
	require.Equal(t, 64, all.together(64, Settings{Width: 64, Height: 64}))
	require.Equal(t, 1, all.together(64, Settings{Width: 2048, Height: 2048}))
	arena := func(n int, s Settings) int {
		stages, err := all.Plan(n, s)
		require.NoError(t, err)
		require.Equal(t, n, stages[3].Runs)
		return stages[3].Arena
	}
	small := Settings{Width: 64, Height: 64, Steps: 1, Guidance: 1}
	whole, err := all.VAE.DecodeProgram(6, 16, 16)
	require.NoError(t, err)
	single, err := all.VAE.DecodeProgram(1, 16, 16)
	require.NoError(t, err)
	require.Equal(t, whole.ArenaBytes(), arena(6, small))
	small.Singly = true
	require.Equal(t, single.ArenaBytes(), arena(6, small))
}

// TestLevels compares with the nearest level of 255, in float64.
func TestLevels(t *testing.T) {
	p := scale(t, device(t, 2))
	out := []*vision.Picture{vision.NewPicture(300, 200), vision.NewPicture(300, 200)}
	size := len(out[0].Pix)
	values := wave(2, 2*size)
	for i := range values {
		values[i] *= 1.1
	}
	require.NoError(t, p.levels(out, values))
	for i, v := range values {
		unit := min(max(float64(v)/2+0.5, 0), 1)
		require.InDelta(t, unit*255, float64(out[i/size].Pix[i%size]), 0.5001, i)
	}
	values[7], values[len(values)-1] = float32(math.NaN()), float32(math.Inf(-1))
	require.ErrorContains(t, p.levels(out, values), "made 2 of 360000 values")
}
