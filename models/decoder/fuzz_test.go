package decoder

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
		`{}`, `{"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 16, "vocab_size": 64, "n_inner": null, "eos_token_id": 63}`,
		`{"n_positions": 1e18}`, `{"n_layer": 0}`, `{"n_embd": 16384, "n_head": 16384}`, `{"tie_word_embeddings": false}`,
		`{"activation_function": "cat"}`, `{"layer_norm_epsilon": -1}`, `{"vocab_size": 1048577}`, `[]`, `{`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseConfig(data); err == nil {
			modest(t, func() any { return New(nil, c) })
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
