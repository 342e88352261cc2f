package graph

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
)

// TestMultistepShapes: what doesn't fit a solver's states is an error that says so.
func TestMultistepShapes(t *testing.T) {
	wide := func(shape ...int) *State {
		s := NewState("latents", shape...)
		s.Wide = true
		return s
	}
	for _, c := range []struct {
		x, in *State
		o, z  int
		words int
		want  string
	}{
		{wide(1, 3, 10), wide(1, 1, 10), 20, 10, ref.MultistepWords(3), ""},
		{wide(1, 3, 10), wide(1, 1, 10), 10, 0, ref.MultistepWords(3), ""},
		{wide(3, 10), wide(1, 1, 10), 20, 0, ref.MultistepWords(3), "states don't fit ([3,10] and [1,1,10])"},
		{wide(1, 3, 10), wide(1, 1, 9), 20, 0, ref.MultistepWords(3), "states don't fit"},
		{wide(1, 1, 10), wide(1, 1, 10), 20, 0, ref.MultistepWords(1), "2 to 8 tensors"},
		{wide(1, 9, 10), wide(1, 1, 10), 20, 0, ref.MultistepWords(9), "2 to 8 tensors"},
		{wide(1, 3, 10), wide(1, 1, 10), 30, 0, ref.MultistepWords(3), "one or two halves"},
		{NewState("latents", 1, 3, 10), wide(1, 1, 10), 20, 0, ref.MultistepWords(3), "must be wide"},
		{wide(1, 3, 10), wide(1, 1, 10), 15, 0, ref.MultistepWords(3), "model's output"},
		{wide(1, 3, 10), wide(1, 1, 10), 20, 20, ref.MultistepWords(3), "noise and state"},
		{wide(1, 3, 10), wide(1, 1, 10), 20, 10, ref.MultistepWords(2), "3 tensors have 46 words"},
	} {
		_, err := Build(&paper{}, func(b *Builder) {
			z := Value{}
			if c.z > 0 {
				z = b.Input("z", c.z)
			}
			b.Multistep(c.x, c.in, b.Input("o", c.o), z, b.InputI32("coefficients", c.words))
			b.Output("bad", b.NotFinite(b.State(c.in)))
		})
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "latents: Multistep: ")
		require.ErrorContains(t, err, c.want)
	}
}
