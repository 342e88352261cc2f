package clip

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor/cpu"
	"syntic/weights"
)

var bg = context.Background()

const config = `{"projection_dim": 12,
 "vision_config": {"hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16, "patch_size": 4},
 "text_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 60, "max_position_embeddings": 20, "eos_token_id": 59}}`

// tiny returns a small CLIP with synthetic weights.
func tiny(t *testing.T) *Model {
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	c, err := ParseConfig([]byte(config))
	require.NoError(t, err)
	m, err := Load(d, []byte(config), weights.Synthetic(3, nn.List(New(c), "")))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		require.NoError(t, d.Close())
	})
	return m
}

// The end is the first end mark; configs from before its id was recorded right
// pool at the largest id, the first one among equals.
func TestEnd(t *testing.T) {
	now := Text{EOS: 59}
	for _, c := range []struct {
		t    Text
		ids  []int32
		want int
	}{
		{now, []int32{58, 3, 59, 59, 59}, 2}, {now, []int32{59}, 0}, {now, []int32{58, 3, 4}, 0},
		{Text{EOS: 2}, []int32{58, 2, 7, 59, 0, 0}, 3}, {Text{EOS: 2}, []int32{58, 59, 59}, 1}, {Text{EOS: 2}, []int32{4}, 0},
	} {
		require.Equal(t, c.want, c.t.End(c.ids), "%v with end mark %d", c.ids, c.t.EOS)
	}
}

// A text's feature has the same bits alone, beside shorter and longer ones, and
// with whatever follows its end mark; and computing only the pooled row gives
// what the whole tower gives.
func TestTextsEqualAlone(t *testing.T) {
	m := tiny(t)
	var texts [][]int32
	for n := range 19 {
		ids := []int32{58}
		for i := range n {
			ids = append(ids, int32((7*n+3*i)%57))
		}
		texts = append(texts, append(ids, 59))
	}
	for i := range 40 { // more than a batch
		texts = append(texts, texts[i%19])
	}
	all := make([]float32, len(texts)*12)
	require.NoError(t, m.TextFeatures(bg, all, texts))
	one := make([]float32, 12)
	for i, ids := range texts {
		require.NoError(t, m.TextFeatures(bg, one, [][]int32{ids}))
		require.Equal(t, one, all[i*12:(i+1)*12], "text %d", i)
		if room := 20 - len(ids); room > 0 {
			require.NoError(t, m.TextFeatures(bg, one, [][]int32{append(append([]int32{}, ids...), make([]int32, room)...)}))
			require.Equal(t, one, all[i*12:(i+1)*12], "text %d with padding", i)
		}
		p, err := m.TextHidden(1, len(ids))
		require.NoError(t, err)
		copy(p.I32("input_ids"), ids)
		p.I32("end")[0] = int32(m.cfg.Text.End(ids))
		for j := range p.F32("mask") {
			p.F32("mask")[j] = 1
		}
		require.NoError(t, p.Run(bg))
		require.InDeltaSlice(t, p.F32("text_features"), one, 1e-4)
		require.NoError(t, p.Close())
	}
}

func TestPicturesEqualAlone(t *testing.T) {
	m := tiny(t)
	n, per := m.dev.Batch()+3, 16*16*3
	pixels := make([]float32, n*per)
	for i := range pixels {
		pixels[i] = float32(math.Cos(float64(i) * 0.37))
	}
	all, one := make([]float32, n*12), make([]float32, 12)
	require.NoError(t, m.ImageFeatures(bg, all, pixels))
	for i := range n {
		require.NoError(t, m.ImageFeatures(bg, one, pixels[i*per:(i+1)*per]))
		require.Equal(t, one, all[i*12:(i+1)*12], "picture %d", i)
	}
	p, err := m.ImageProgram(1, "vision_layer2") // all rows of the last layer
	require.NoError(t, err)
	copy(p.F32("pixel_values"), pixels[(n-1)*per:])
	require.NoError(t, p.Run(bg))
	require.InDeltaSlice(t, p.F32("image_features"), one, 1e-4)
	require.NoError(t, p.Close())
}

func TestWrongSizesAreNamed(t *testing.T) {
	m := tiny(t)
	require.ErrorContains(t, m.TextFeatures(bg, make([]float32, 12), [][]int32{make([]int32, 21)}), "text 0 has 21 tokens; 1 to 20 are possible")
	require.ErrorContains(t, m.TextFeatures(bg, make([]float32, 24), [][]int32{{1}, {}}), "text 1 has 0 tokens")
	require.ErrorContains(t, m.TextFeatures(bg, make([]float32, 11), [][]int32{{1}}), "11 feature values for 1 texts")
	require.ErrorContains(t, m.ImageFeatures(bg, make([]float32, 12), make([]float32, 100)), "whole pictures of 16×16")
	require.NoError(t, m.TextFeatures(bg, nil, nil))
	require.NoError(t, m.ImageFeatures(bg, nil, nil))
}

// A text tower alone gives every row, texts of one length at a time.
func TestTextModel(t *testing.T) {
	const config = `{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 60, "max_position_embeddings": 20}`
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer d.Close()
	c, err := ParseText([]byte(config))
	require.NoError(t, err)
	m, err := LoadText(d, []byte(config), weights.Synthetic(3, nn.List(NewText(c), "")))
	require.NoError(t, err)
	defer m.Close()
	texts := [][]int32{{1, 2, 3, 4}, {9, 8, 7, 6}, {9, 8, 7, 6}}
	all, one := make([]float32, 3*4*16), make([]float32, 4*16)
	require.NoError(t, m.Hidden(bg, all, texts))
	for i := range texts {
		require.NoError(t, m.Hidden(bg, one, texts[i:i+1]))
		require.Equal(t, one, all[i*64:(i+1)*64])
	}
	require.ErrorContains(t, m.Hidden(bg, all[:128], [][]int32{{1, 2, 3, 4}, {1, 2, 3}}), "text 1 has 3 tokens, the first has 4")
	require.ErrorContains(t, m.Hidden(bg, all, [][]int32{make([]int32, 21)}), "of at most 20")
	require.NoError(t, m.Hidden(bg, nil, nil))
}

func TestConfigMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"vision_config": {"hidden_size": 0}}`:                   "vision_config: hidden_size 0",
		`{"vision_config": {"num_attention_heads": 7}}`:           "hidden_size 768 isn't a multiple of num_attention_heads 7",
		`{"vision_config": {"patch_size": 0}}`:                    "patch_size 0",
		`{"vision_config": {"image_size": 16}}`:                   "image_size 16 and patch_size 32",
		`{"vision_config": {"image_size": 4096, "patch_size":1}}`: "4096×4096 patches",
		`{"text_config": {"hidden_act": "cat"}}`:                  `text_config: hidden_act "cat"`,
		`{"text_config": {"layer_norm_eps": -1}}`:                 "text_config: layer_norm_eps -1",
		`{"text_config": {"vocab_size": 99999999}}`:               "vocab_size 99999999",
		`{"projection_dim": 0}`:                                   "projection_dim 0",
		`{"projection_dim": 1e30}`:                                "CLIP config",
		`nonsense`:                                                "CLIP config",
	} {
		_, err := ParseConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}
