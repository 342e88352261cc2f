package clip

import (
	"runtime"
	"testing"

	"syntic/nn"
)

// FuzzParseConfig: a configuration is refused or describes a model that can be
// laid out in little memory, with sizes that no product of overflows; never a
// panic.
func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"projection_dim": 16, "vision_config": {"hidden_size": 8, "num_attention_heads": 2}}`,
		`{"vision_config": {"image_size": 4096, "patch_size": 1}}`, `{"text_config": {"vocab_size": -1}}`,
		`{"text_config": null, "vision_config": {"layer_norm_eps": 1e-30}}`, `{"vision_config": {"num_hidden_layers": 1e9}}`,
		`{"hidden_size": 768, "num_attention_heads": 12, "vocab_size": 49408, "hidden_act": "gelu"}`, `[]`, `{`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseConfig(data); err == nil {
			modest(t, func() any { return New(c) })
		}
		if c, err := ParseText(data); err == nil {
			modest(t, func() any { return NewText(c) })
		}
	})
}

// modest checks that laying a model out takes little memory and that its
// parameters can be counted.
func modest(t *testing.T, layOut func() any) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m := layOut()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Fatalf("%d bytes to lay the model out", n)
	}
	total := 0
	for _, p := range nn.List(m, "") {
		n := 1
		for _, d := range p.Shape {
			if n *= d; d < 1 || n < 1 || n > 1<<44 {
				t.Fatalf("%s has shape %v", p.Name, p.Shape)
			}
		}
		total += n
	}
	if total < 1 || total > 1<<52 {
		t.Fatalf("%d parameters", total)
	}
}
