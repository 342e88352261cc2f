package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/graph"
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
