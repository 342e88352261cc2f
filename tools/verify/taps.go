package verify

import (
	"context"
	"maps"
	"slices"

	"syntic/tensor"
	"syntic/tensor/graph"
)

// tapped maps the golden's name of an inner value to the model's.
type tapped map[string]string

// taps returns the outputs of a case that are inner values: all but those that
// the model gives anyway. rename has the names that differ.
func taps(c *testCase, rename map[string]string, given ...string) tapped {
	t := tapped{}
	for name := range c.Outputs {
		if slices.Contains(given, name) {
			continue
		}
		t[name] = name
		if to, ok := rename[name]; ok {
			t[name] = to
		}
	}
	return t
}

// names returns the model's names, each once.
func (t tapped) names() []string {
	return slices.Compact(slices.Sorted(maps.Values(t)))
}

// run runs the program and adds the inner values to got. A value of four
// dimensions is a picture.
func (t tapped) run(ctx context.Context, p *graph.Program, got map[string]array) (map[string]array, error) {
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	for golden, name := range t {
		s := p.Shape(name)
		if len(s) == 4 {
			got[golden] = picture(p.F32(name), s[0], s[1], s[2], s[3])
		} else {
			got[golden] = values(p.F32(name), s...)
		}
	}
	return got, nil
}

// picture returns a copy of an output that lies as [N,H,W,C].
func picture(v []float32, n, h, w, c int) array {
	return array{shape: tensor.Shape{n, c, h, w}, f32: slices.Clone(v), nhwc: true}
}

// toNHWC returns [N,C,H,W] values as [N,H,W,C].
func toNHWC(v []float32, shape tensor.Shape) []float32 {
	c, hw := shape[1], shape[2]*shape[3]
	out := make([]float32, len(v))
	for i := range out {
		n, p := i/(c*hw), i%(c*hw)
		out[i] = v[n*c*hw+p%c*hw+p/c]
	}
	return out
}
