package sd

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/sd/sched"
	"syntic/weights"
)

// constant loads a parameter with one value.
func constant(t *testing.T, p interface{ Load(weights.Info) error }, value float32, shape ...int) {
	t.Helper()
	info := weights.Info{Shape: shape}
	for range shape[0] {
		info.Data = binary.LittleEndian.AppendUint32(info.Data, math.Float32bits(value))
	}
	require.NoError(t, p.Load(info))
}

// TestAnErrorEndsTheDrawing: and every further call says why.
func TestAnErrorEndsTheDrawing(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx   context.Context
		bias  float32 // of what the UNet makes
		guide float64
		want  string
	}{
		{t.Context(), float32(math.Inf(1)), 5, "step 1 of 3: the UNet made 2048 of 2048 values that are no finite numbers"},
		{t.Context(), float32(math.NaN()), 1, "step 1 of 3: the UNet made 1024 of 1024 values that are no finite numbers"},
		{t.Context(), 3e38, 5, "step 1 of 3: the scheduler made 1024 of 1024 values that are no finite numbers"},
		{cancelled, 0, 5, "context canceled"},
	} {
		p := scale(t, device(t, 2))
		if c.bias != 0 {
			constant(t, p.UNet.ConvOut.Bias, c.bias, 4)
		}
		d, err := p.Start(t.Context(), []Prompt{{}}, Settings{Steps: 3, Guidance: c.guide, Scheduler: "euler"})
		require.NoError(t, err)
		require.ErrorContains(t, d.Step(c.ctx), c.want)
		require.ErrorContains(t, d.Step(t.Context()), c.want)
		_, err = d.Latents(t.Context())
		require.ErrorContains(t, err, c.want)
		_, err = d.Preview(t.Context())
		require.ErrorContains(t, err, c.want)
		_, err = d.Pictures(t.Context())
		require.ErrorContains(t, err, c.want)
		require.Equal(t, c.ctx == t.Context(), errors.Is(err, ErrNotFinite))
		// The pipeline draws again, its latents anew.
		if c.bias == 0 {
			fresh := draw(t, p, []Prompt{{}}, settings)
			require.Equal(t, fresh, draw(t, scale(t, device(t, 2)), []Prompt{{}}, settings))
		}
	}
}

// TestOneDrawingAtATime: a drawing whose latents are gone says so.
func TestOneDrawingAtATime(t *testing.T) {
	p := scale(t, device(t, 2))
	start := func(n int) *Drawing {
		d, err := p.Start(t.Context(), make([]Prompt, n), settings)
		require.NoError(t, err)
		return d
	}
	for _, n := range []int{1, 2} { // of the same shape and another
		first := start(1)
		require.NoError(t, first.Step(t.Context()))
		second := start(n)
		_, err := first.Latents(t.Context())
		require.ErrorContains(t, err, "another one has begun")
		require.ErrorContains(t, first.Step(t.Context()), "another one has begun")
		require.NoError(t, second.Step(t.Context()))
	}
	p.Lean = true
	d := start(1)
	require.NoError(t, d.Step(t.Context()))
	_, err := d.Pictures(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, d.Step(t.Context()), "its UNet was freed")
}

// TestLatentsOnTheWay: asking for them after every step changes nothing, and what a
// preview shows is the prediction's.
func TestLatentsOnTheWay(t *testing.T) {
	p := scale(t, device(t, 2))
	prompts := []Prompt{{Text: "a dog", Seed: 4}, {Text: "a cat", Seed: 5}}
	for _, name := range sched.Names() {
		s := Settings{Steps: 5, Guidance: 5, Scheduler: name}
		want := draw(t, p, prompts, s)
		d, err := p.Start(t.Context(), prompts, s)
		require.NoError(t, err)
		before := latents(t, d)
		for i := range d.Steps() {
			require.NoError(t, d.Step(t.Context()))
			after := latents(t, d)
			require.NotEqual(t, before, after)
			before = after
			if i == d.Steps()-1 && name != "euler-a" && name != "pndm" {
				require.Less(t, relErr(d.end, after), 0.1, "%s: the last step goes to its estimate", name)
			}
		}
		require.Equal(t, want, before, name)
	}
}
