package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/sd"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/tools/world"
)

// TestShortMemoryTakesTiles has less memory than a whole picture takes and enough
// for one by tiles.
func TestShortMemoryTakesTiles(t *testing.T) {
	plan := func(memory int, more ...string) (p drawPlan, messages string) {
		a := &app{memory: func(graph.Device) int { return memory }}
		d := commandWith(t, t.Context(), a, append([]string{"generate", "--plan", "--json", "--guidance", "1", "--width", "640", "--height", "640", "a dog"}, more...)...)
		require.Equal(t, 0, d.code, d.err)
		require.NoError(t, json.Unmarshal([]byte(d.out), &p))
		return p, d.err
	}
	whole, _ := plan(0)
	tiled, _ := plan(0, "--tiles")
	require.Less(t, tiled.Lean, whole.Lean)
	between := (tiled.Lean + whole.Lean) / 2
	chosen, messages := plan(between)
	require.Equal(t, tiled.Lean, chosen.Lean)
	require.Contains(t, messages, "decoding by tiles")
	plenty, messages := plan(whole.Lean)
	require.Equal(t, whole.Lean, plenty.Lean)
	require.NotContains(t, messages, "tiles")

	refused := commandWith(t, t.Context(), &app{memory: func(graph.Device) int { return between }}, "generate", "--tiles=false", "--guidance", "1", "--width", "640", "--height", "640", "a dog")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.err, "of memory and")
}

// many is a device that likes large batches, as a GPU does.
type many struct{ graph.Device }

func (many) Batch() int { return 256 }

// TestShortMemoryDecodesSingly: where several latents at a time don't fit, or only
// with towers taking turns, they are decoded one by one.
func TestShortMemoryDecodesSingly(t *testing.T) {
	c, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer c.Close()
	d := many{c}
	p, err := sd.Load(d, world.Model())
	require.NoError(t, err)
	defer p.Close()
	available := 0
	a := &app{memory: func(graph.Device) int { return available }}
	settings := sd.Settings{Steps: 2, Guidance: 1, Width: 256, Height: 256}
	plan := func(batches int) (*drawPlan, bool) {
		s := settings
		plan, err := a.planDrawing(d, p, 8, batches, &s, false)
		require.NoError(t, err)
		return plan, s.Singly
	}
	whole, singly := plan(2)
	require.False(t, singly)
	settings.Singly = true
	alone, _ := plan(2)
	settings.Singly = false
	require.Less(t, alone.Resident, whole.Lean)
	for _, c := range []struct {
		available, batches int
		singly             bool
		way                string
	}{
		{whole.Resident, 2, false, atOnce},
		{whole.Resident - 1, 2, true, atOnce}, // better than towers in turns
		{whole.Resident - 1, 1, false, inTurns},
		{whole.Lean - 1, 1, true, inTurns},
		{alone.Resident - 1, 2, true, inTurns},
	} {
		available = c.available
		got, singly := plan(c.batches)
		require.Equal(t, c.singly, singly, c)
		require.Equal(t, c.way, got.Way, c)
		require.False(t, got.short(), c)
	}
}
