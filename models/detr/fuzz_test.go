package detr

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
		`{}`, `{"backbone": "resnet101", "num_labels": 91}`, `{"use_timm_backbone": false, "backbone_config": {"embedding_size": 8,
		"hidden_sizes": [16, 24, 32, 40], "depths": [1, 2, 1, 1], "layer_type": "bottleneck", "out_features": ["stage4"]}}`,
		`{"use_timm_backbone": false, "backbone_config": {"embedding_size": 8, "hidden_sizes": [16], "depths": [1000000000], "layer_type": "basic"}}`,
		`{"id2label": {"0": "N/A", "1": "person"}}`, `{"id2label": {"7": "far"}}`, `{"num_labels": 99999999}`, `{"d_model": 6}`, `{"encoder_layers": -1}`, `[]`, `{`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseConfig(data); err == nil {
			modest(t, func() any { return New(c) })
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
