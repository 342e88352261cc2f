package world

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/caption"
	"syntic/models/vision"
	"syntic/tensor/cpu"
)

// The scale model inside the program must describe its own samples rightly, on
// any machine.
func TestSamplesAreDescribed(t *testing.T) {
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer d.Close()
	m, err := caption.Load(context.Background(), d, Model())
	require.NoError(t, err)
	defer m.Close()
	want := map[string][]string{
		"sample:giraffe-zebra": {"giraffe", "zebra"},
		"sample:green-car":     {"green", "car"},
		"sample:kite":          {"kite", "man"},
		"sample:sheep":         {"sheep", "mountain"},
		"sample:stop-sign":     {"stop sign", "purple"},
		"sample:wine-glass":    {"wine glass", "table"},
	}
	require.Len(t, Samples(), len(want))
	for _, name := range Samples() {
		f, err := OpenSample(name)
		require.NoError(t, err)
		p, _, err := vision.Decode(f, vision.Limits{})
		require.NoError(t, err)
		r, err := m.Caption(context.Background(), []*vision.Picture{p}, caption.Options{})
		require.NoError(t, err)
		for _, word := range want[name] {
			require.Contains(t, r[0].Caption, word, name)
		}
	}
	_, err = OpenSample("sample:none")
	require.ErrorContains(t, err, "sample:giraffe-zebra")
}
