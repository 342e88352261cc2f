package clip

import (
	"encoding/json"
	"fmt"

	"syntic/kernels/ref"
)

// Tower is the size of one transformer.
type Tower struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Act          string  `json:"hidden_act"`
	Eps          float64 `json:"layer_norm_eps"`

	act ref.Act
}

// Vision is the picture tower's configuration.
type Vision struct {
	Tower
	Image int `json:"image_size"`
	Patch int `json:"patch_size"`
}

// Text is the text tower's configuration.
type Text struct {
	Tower
	Vocab     int `json:"vocab_size"`
	Positions int `json:"max_position_embeddings"`
	EOS       int `json:"eos_token_id"`
}

// Config is the content of a CLIP config.json.
type Config struct {
	Vision     Vision `json:"vision_config"`
	Text       Text   `json:"text_config"`
	Projection int    `json:"projection_dim"`
}

// The largest sizes accepted; they only keep a corrupt file from asking for
// absurd amounts of memory. ViT-bigG, the largest CLIP published, has width 1664.
const (
	maxWidth  = 1 << 14
	maxLayers = 256
	maxVocab  = 1 << 20
	maxGrid   = 256 // patches a side; attention's time grows with its fourth power
)

// ParseConfig reads a CLIP config.json and checks it.
func ParseConfig(data []byte) (Config, error) {
	// The defaults are those of transformers' CLIPConfig, which files may omit.
	c := Config{
		Projection: 512,
		Vision:     Vision{Tower: Tower{768, 3072, 12, 12, "quick_gelu", 1e-5, 0}, Image: 224, Patch: 32},
		Text:       Text{Tower: Tower{512, 2048, 12, 8, "quick_gelu", 1e-5, 0}, Vocab: 49408, Positions: 77, EOS: 49407},
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("CLIP config: %w", err)
	}
	if err := c.Vision.check("vision_config"); err != nil {
		return Config{}, err
	}
	if c.Vision.Patch < 1 || c.Vision.Image < c.Vision.Patch || c.Vision.Image > 4096 {
		return Config{}, fmt.Errorf("CLIP config: image_size %d and patch_size %d don't fit", c.Vision.Image, c.Vision.Patch)
	}
	if grid := c.Vision.Image / c.Vision.Patch; grid > maxGrid {
		return Config{}, fmt.Errorf("CLIP config: %d×%d patches; at most %d×%d are possible", grid, grid, maxGrid, maxGrid)
	}
	if c.Projection < 1 || c.Projection > maxWidth {
		return Config{}, fmt.Errorf("CLIP config: projection_dim %d is out of range", c.Projection)
	}
	if err := c.Text.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// ParseText reads the config.json of a text encoder alone, as Stable Diffusion
// ships it, and checks it.
func ParseText(data []byte) (Text, error) {
	t := Text{Tower: Tower{512, 2048, 12, 8, "quick_gelu", 1e-5, 0}, Vocab: 49408, Positions: 77, EOS: 49407}
	if err := json.Unmarshal(data, &t); err != nil {
		return Text{}, fmt.Errorf("CLIP text config: %w", err)
	}
	if err := t.check(); err != nil {
		return Text{}, err
	}
	return t, nil
}

func (t *Text) check() error {
	if t.Vocab < 1 || t.Vocab > maxVocab || t.Positions < 1 || t.Positions > maxWidth {
		return fmt.Errorf("CLIP text config: vocab_size %d or max_position_embeddings %d is out of range", t.Vocab, t.Positions)
	}
	return t.Tower.check("text_config")
}

func (t *Tower) check(part string) error {
	if t.Hidden < 1 || t.Hidden > maxWidth || t.Intermediate < 1 || t.Intermediate > maxWidth || t.Layers < 1 || t.Layers > maxLayers {
		return fmt.Errorf("CLIP config: %s: hidden_size %d, intermediate_size %d or num_hidden_layers %d is out of range", part, t.Hidden, t.Intermediate, t.Layers)
	}
	if t.Heads < 1 || t.Hidden%t.Heads != 0 {
		return fmt.Errorf("CLIP config: %s: hidden_size %d isn't a multiple of num_attention_heads %d", part, t.Hidden, t.Heads)
	}
	if t.Eps <= 0 || t.Eps > 1 {
		return fmt.Errorf("CLIP config: %s: layer_norm_eps %g is out of range", part, t.Eps)
	}
	var ok bool
	if t.act, ok = ref.ParseAct(t.Act); !ok {
		return fmt.Errorf("CLIP config: %s: hidden_act %q is unknown", part, t.Act)
	}
	return nil
}
