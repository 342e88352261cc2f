package decoder

import (
	"encoding/json"
	"fmt"

	"syntic/kernels/ref"
)

// Config is the content of a GPT-2 config.json.
type Config struct {
	Vocab     int     `json:"vocab_size"`
	Positions int     `json:"n_positions"`
	Width     int     `json:"n_embd"`
	Layers    int     `json:"n_layer"`
	Heads     int     `json:"n_head"`
	Inner     int     `json:"n_inner"` // 0 means 4·Width
	Act       string  `json:"activation_function"`
	Eps       float64 `json:"layer_norm_epsilon"`
	EOS       int     `json:"eos_token_id"`
	Tied      *bool   `json:"tie_word_embeddings"`

	act ref.Act
}

// The largest sizes accepted, to keep a corrupt file from asking for absurd
// amounts of memory.
const (
	maxWidth  = 1 << 14
	maxLayers = 256
	maxVocab  = 1 << 20
)

// ParseConfig reads a GPT-2 config.json and checks it.
func ParseConfig(data []byte) (Config, error) {
	c := Config{Vocab: 49408, Positions: 1024, Width: 768, Layers: 4, Heads: 4, Act: "gelu_new", Eps: 1e-5, EOS: 49407}
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("decoder config: %w", err)
	}
	if c.Inner == 0 {
		c.Inner = 4 * c.Width
	}
	if c.Vocab < 2 || c.Vocab > maxVocab || c.Positions < 2 || c.Positions > maxVocab ||
		c.Width < 1 || c.Width > maxWidth || c.Inner < 1 || c.Inner > 4*maxWidth || c.Layers < 1 || c.Layers > maxLayers {
		return Config{}, fmt.Errorf("decoder config: vocab_size %d, n_positions %d, n_embd %d, n_inner %d or n_layer %d is out of range", c.Vocab, c.Positions, c.Width, c.Inner, c.Layers)
	}
	if c.Heads < 1 || c.Width%c.Heads != 0 {
		return Config{}, fmt.Errorf("decoder config: n_embd %d isn't a multiple of n_head %d", c.Width, c.Heads)
	}
	if c.Eps <= 0 || c.Eps > 1 {
		return Config{}, fmt.Errorf("decoder config: layer_norm_epsilon %g is out of range", c.Eps)
	}
	if c.Tied != nil && !*c.Tied {
		return Config{}, fmt.Errorf("decoder config: tie_word_embeddings false isn't supported: the output layer is the embedding table")
	}
	var ok bool
	if c.act, ok = ref.ParseAct(c.Act); !ok {
		return Config{}, fmt.Errorf("decoder config: activation_function %q is unknown", c.Act)
	}
	return c, nil
}
