package detr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Config is the content of a DETR config.json.
type Config struct {
	Width         int
	EncoderLayers int
	DecoderLayers int
	EncoderHeads  int
	DecoderHeads  int
	EncoderFFN    int
	DecoderFFN    int
	Queries       int
	Labels        []string // by class id; Unused where the id means nothing
	ResNet        ResNet
}

// Unused is the label of class ids that no object has, such as 12 and 26 of
// COCO's 91.
const Unused = "N/A"

// ResNet is the backbone's size.
type ResNet struct {
	Embedding       int      `json:"embedding_size"`
	Hidden          []int    `json:"hidden_sizes"`
	Depths          []int    `json:"depths"`
	Layer           string   `json:"layer_type"` // "basic" or "bottleneck"
	DownsampleFirst bool     `json:"downsample_in_first_stage"`
	OutFeatures     []string `json:"out_features"`
}

// resnets are the backbones that configs call by name.
// Source: He et al., arXiv 1512.03385, table 1.
var resnets = map[string]ResNet{
	"resnet50":  {Embedding: 64, Hidden: []int{256, 512, 1024, 2048}, Depths: []int{3, 4, 6, 3}, Layer: "bottleneck"},
	"resnet101": {Embedding: 64, Hidden: []int{256, 512, 1024, 2048}, Depths: []int{3, 4, 23, 3}, Layer: "bottleneck"},
}

// ParseConfig reads a DETR config.json and checks it.
func ParseConfig(data []byte) (Config, error) {
	f := struct {
		Width         int               `json:"d_model"`
		EncoderLayers int               `json:"encoder_layers"`
		DecoderLayers int               `json:"decoder_layers"`
		EncoderHeads  int               `json:"encoder_attention_heads"`
		DecoderHeads  int               `json:"decoder_attention_heads"`
		EncoderFFN    int               `json:"encoder_ffn_dim"`
		DecoderFFN    int               `json:"decoder_ffn_dim"`
		Queries       int               `json:"num_queries"`
		Act           string            `json:"activation_function"`
		Positions     string            `json:"position_embedding_type"`
		Dilation      bool              `json:"dilation"`
		Timm          *bool             `json:"use_timm_backbone"`
		Backbone      string            `json:"backbone"`
		ResNet        *ResNet           `json:"backbone_config"`
		Names         map[string]string `json:"id2label"`
		NumLabels     int               `json:"num_labels"`
	}{
		Width: 256, EncoderLayers: 6, DecoderLayers: 6, EncoderHeads: 8, DecoderHeads: 8,
		EncoderFFN: 2048, DecoderFFN: 2048, Queries: 100, Act: "relu", Positions: "sine", Backbone: "resnet50", NumLabels: 91,
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return Config{}, fmt.Errorf("DETR config: %w", err)
	}
	if f.Act != "relu" || f.Positions != "sine" || f.Dilation {
		return Config{}, fmt.Errorf("DETR config: activation_function %q, position_embedding_type %q, dilation %v: only relu, sine and no dilation are supported", f.Act, f.Positions, f.Dilation)
	}
	c := Config{f.Width, f.EncoderLayers, f.DecoderLayers, f.EncoderHeads, f.DecoderHeads, f.EncoderFFN, f.DecoderFFN, f.Queries, nil, ResNet{}}
	if named := f.Timm == nil || *f.Timm || f.ResNet == nil; named {
		var ok bool
		if c.ResNet, ok = resnets[f.Backbone]; !ok {
			return Config{}, fmt.Errorf("DETR config: backbone %q is unknown; resnet50 and resnet101 are", f.Backbone)
		}
	} else {
		c.ResNet = *f.ResNet
	}
	if err := c.ResNet.check(); err != nil {
		return Config{}, err
	}
	var err error
	if c.Labels, err = labels(f.Names, f.NumLabels); err != nil {
		return Config{}, err
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// labels turns id2label into a list.
func labels(names map[string]string, n int) ([]string, error) {
	if len(names) > 0 {
		n = len(names)
	}
	if n < 1 || n > 1<<16 {
		return nil, fmt.Errorf("DETR config: %d labels is out of range", n)
	}
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("LABEL_%d", i)
	}
	for k, v := range names {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("DETR config: id2label has %d entries, so an id %q can't be", n, k)
		}
		list[i] = v
	}
	return list, nil
}

// The largest sizes accepted, to keep a corrupt file from asking for absurd
// amounts of memory.
const (
	maxWidth  = 1 << 14
	maxLayers = 256
)

func (c *Config) check() error {
	for _, v := range []struct {
		name string
		n    int
		most int
	}{
		{"d_model", c.Width, maxWidth}, {"encoder_layers", c.EncoderLayers, maxLayers}, {"decoder_layers", c.DecoderLayers, maxLayers},
		{"encoder_ffn_dim", c.EncoderFFN, maxWidth}, {"decoder_ffn_dim", c.DecoderFFN, maxWidth}, {"num_queries", c.Queries, maxWidth},
	} {
		if v.n < 1 || v.n > v.most {
			return fmt.Errorf("DETR config: %s %d is out of range", v.name, v.n)
		}
	}
	for _, h := range []int{c.EncoderHeads, c.DecoderHeads} {
		if h < 1 || c.Width%h != 0 || c.Width%4 != 0 {
			return fmt.Errorf("DETR config: d_model %d must be a multiple of 4 and of the number of heads %d", c.Width, h)
		}
	}
	return nil
}

func (r *ResNet) check() error {
	if r.Layer != "basic" && r.Layer != "bottleneck" {
		return fmt.Errorf("DETR config: ResNet layer_type %q is unknown", r.Layer)
	}
	if len(r.Hidden) == 0 || len(r.Hidden) > 4 || len(r.Depths) != len(r.Hidden) || r.Embedding < 1 || r.Embedding > maxWidth {
		return fmt.Errorf("DETR config: ResNet with hidden_sizes %v, depths %v, embedding_size %d is impossible", r.Hidden, r.Depths, r.Embedding)
	}
	for i, h := range r.Hidden {
		if h < 4 || h > maxWidth || h%4 != 0 || r.Depths[i] < 1 || r.Depths[i] > maxLayers {
			return fmt.Errorf("DETR config: ResNet stage %d with hidden size %d and depth %d is out of range", i+1, h, r.Depths[i])
		}
	}
	// Only the last stage's features are used, so the others need no names.
	if last := fmt.Sprintf("stage%d", len(r.Hidden)); len(r.OutFeatures) > 0 && !slices.Contains(r.OutFeatures, last) {
		return fmt.Errorf("DETR config: ResNet out_features %v without %s aren't supported", r.OutFeatures, last)
	}
	return nil
}

// Stride returns how many pixels a cell of the last feature map covers.
func (r *ResNet) Stride() int {
	s := 4 << (len(r.Hidden) - 1)
	if r.DownsampleFirst {
		s *= 2
	}
	return s
}
