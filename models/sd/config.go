package sd

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// UNetConfig is the content of a UNet's config.json.
type UNetConfig struct {
	In, Out      int     // channels of the latent and of the prediction
	Sample       int     // side of the latents it was trained on
	Channels     []int   // per level, the finest first
	Down, Up     []bool  // which blocks attend, in the order they run
	Layers       int     // resnets per block on the way down
	Heads        []int   // of a level's attention
	Context      int     // width of the text encoder's rows
	Transformers int     // transformer layers per attention
	Groups       int     // of every group norm
	Eps          float64 // of the resnets' norms
	Linear       bool    // proj_in and proj_out are stored as matrices
	Flip         bool    // the time embedding has cosines first
	FreqShift    float64
}

// The largest sizes accepted; they only keep a corrupt file from asking for
// absurd amounts of memory.
const (
	maxWidth  = 1 << 14
	maxLevels = 8
	maxLayers = 32
)

// unetOnly lists the options of other UNets that this one doesn't compute, each
// with the values that leave it off; null does too.
var unetOnly = map[string][]string{
	"act_fn": {`"silu"`, `"swish"`}, "mid_block_type": {`"UNetMidBlock2DCrossAttn"`}, "time_embedding_type": {`"positional"`},
	"resnet_time_scale_shift": {`"default"`}, "attention_type": {`"default"`}, "addition_embed_type": {}, "class_embed_type": {},
	"encoder_hid_dim": {}, "encoder_hid_dim_type": {}, "num_class_embeds": {}, "time_cond_proj_dim": {}, "time_embedding_act_fn": {},
	"time_embedding_dim": {}, "timestep_post_act": {}, "num_attention_heads": {}, "cross_attention_norm": {},
	"reverse_transformer_layers_per_block": {}, "center_input_sample": {"false"}, "dual_cross_attention": {"false"},
	"only_cross_attention": {"false"}, "mid_block_only_cross_attention": {"false"}, "resnet_skip_time_act": {"false"},
	"class_embeddings_concat": {"false"}, "conv_in_kernel": {"3"}, "conv_out_kernel": {"3"}, "downsample_padding": {"1"},
	"mid_block_scale_factor": {"1", "1.0"}, "resnet_out_scale_factor": {"1", "1.0"},
}

// vaeOnly is the same for the autoencoder.
var vaeOnly = map[string][]string{
	"act_fn": {`"silu"`, `"swish"`}, "latents_mean": {}, "latents_std": {}, "mid_block_add_attention": {"true"},
}

// supported refuses options that change what a model computes.
func supported(what string, data []byte, only map[string][]string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("%s config: %w", what, err)
	}
	for _, name := range slices.Sorted(maps.Keys(only)) {
		if v, ok := fields[name]; ok && string(v) != "null" && !slices.Contains(only[name], string(v)) {
			return fmt.Errorf("%s config: %s %s isn't supported", what, name, v)
		}
	}
	return nil
}

// ints is one number or a list of them.
type ints []int

// UnmarshalJSON implements json.Unmarshaler; null keeps what is there.
func (l *ints) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var one int
	if err := json.Unmarshal(data, &one); err == nil {
		*l = ints{one}
		return nil
	}
	return json.Unmarshal(data, (*[]int)(l))
}

// each returns n numbers: the list, or its only one n times.
func (l ints) each(n int) []int {
	if len(l) == 1 {
		return slices.Repeat(l, n)
	}
	return l
}

// ParseUNet reads a UNet's config.json and checks it.
func ParseUNet(data []byte) (UNetConfig, error) {
	fail := func(format string, args ...any) (UNetConfig, error) {
		return UNetConfig{}, fmt.Errorf("UNet config: "+format, args...)
	}
	if err := supported("UNet", data, unetOnly); err != nil {
		return UNetConfig{}, err
	}
	// The defaults are those of diffusers, which files may omit.
	f := struct {
		In           int      `json:"in_channels"`
		Out          int      `json:"out_channels"`
		Sample       ints     `json:"sample_size"`
		Channels     []int    `json:"block_out_channels"`
		Down         []string `json:"down_block_types"`
		Up           []string `json:"up_block_types"`
		Layers       int      `json:"layers_per_block"`
		Heads        ints     `json:"attention_head_dim"`
		Context      int      `json:"cross_attention_dim"`
		Transformers int      `json:"transformer_layers_per_block"`
		Groups       int      `json:"norm_num_groups"`
		Eps          float64  `json:"norm_eps"`
		Linear       bool     `json:"use_linear_projection"`
		Flip         bool     `json:"flip_sin_to_cos"`
		FreqShift    float64  `json:"freq_shift"`
	}{
		In: 4, Out: 4, Sample: ints{64}, Channels: []int{320, 640, 1280, 1280}, Layers: 2, Heads: ints{8}, Context: 1280,
		Transformers: 1, Groups: 32, Eps: 1e-5, Flip: true,
		Down: []string{"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"},
		Up:   []string{"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"},
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return fail("%w", err)
	}
	levels := len(f.Channels)
	if err := checkChannels(f.Channels, f.Groups, f.Layers); err != nil {
		return fail("%w", err)
	}
	if len(f.Sample) == 0 {
		return fail("sample_size is empty")
	}
	c := UNetConfig{f.In, f.Out, f.Sample[0], f.Channels, nil, nil, f.Layers, f.Heads.each(levels), f.Context, f.Transformers, f.Groups, f.Eps, f.Linear, f.Flip, f.FreqShift}
	for _, v := range []struct {
		name    string
		n, most int
	}{
		{"in_channels", c.In, maxWidth}, {"out_channels", c.Out, maxWidth}, {"sample_size", c.Sample, maxWidth},
		{"cross_attention_dim", c.Context, maxWidth}, {"transformer_layers_per_block", c.Transformers, maxLayers},
	} {
		if v.n < 1 || v.n > v.most {
			return fail("%s %d is out of range", v.name, v.n)
		}
	}
	if c.Eps <= 0 || c.Eps > 1 {
		return fail("norm_eps %g is out of range", c.Eps)
	}
	if half := float64(c.Channels[0] / 2); c.Channels[0]%2 != 0 || c.FreqShift < 0 || c.FreqShift >= half {
		return fail("block_out_channels %v and freq_shift %g don't make a time embedding", c.Channels, c.FreqShift)
	}
	if len(c.Heads) != levels {
		return fail("attention_head_dim has %d numbers for %d levels", len(c.Heads), levels)
	}
	for i, h := range c.Heads {
		if h < 1 || c.Channels[i]%h != 0 {
			return fail("%d channels can't be %d heads (attention_head_dim is their number)", c.Channels[i], h)
		}
	}
	var err error
	if c.Down, err = attending(f.Down, levels, "DownBlock2D", "CrossAttnDownBlock2D"); err != nil {
		return fail("down_block_types: %w", err)
	}
	if c.Up, err = attending(f.Up, levels, "UpBlock2D", "CrossAttnUpBlock2D"); err != nil {
		return fail("up_block_types: %w", err)
	}
	return c, nil
}

// attending translates block types.
func attending(types []string, levels int, plain, cross string) ([]bool, error) {
	if len(types) != levels {
		return nil, fmt.Errorf("%d types for %d levels", len(types), levels)
	}
	list := make([]bool, levels)
	for i, t := range types {
		if t != plain && t != cross {
			return nil, fmt.Errorf("%q isn't supported; %s and %s are", t, plain, cross)
		}
		list[i] = t == cross
	}
	return list, nil
}

func checkChannels(channels []int, groups, layers int) error {
	if len(channels) < 1 || len(channels) > maxLevels {
		return fmt.Errorf("block_out_channels %v has not 1 to %d levels", channels, maxLevels)
	}
	if layers < 1 || layers > maxLayers {
		return fmt.Errorf("layers_per_block %d is out of range", layers)
	}
	for _, c := range channels {
		if c < 1 || c > maxWidth || groups < 1 || c%groups != 0 {
			return fmt.Errorf("%d channels can't be %d groups (norm_num_groups)", c, groups)
		}
	}
	return nil
}

// VAEConfig is the content of an autoencoder's config.json.
type VAEConfig struct {
	In, Out  int   // channels of pictures
	Latent   int   // channels of latents
	Channels []int // per level, the finest first
	Layers   int   // resnets per block of the encoder
	Groups   int   // of every group norm
	// A latent is (mean - Shift)·Scale of what the encoder gives.
	Scale, Shift     float64
	Quant, PostQuant bool // whether quant_conv and post_quant_conv exist
}

// ParseVAE reads an autoencoder's config.json and checks it.
func ParseVAE(data []byte) (VAEConfig, error) {
	fail := func(format string, args ...any) (VAEConfig, error) {
		return VAEConfig{}, fmt.Errorf("VAE config: "+format, args...)
	}
	if err := supported("VAE", data, vaeOnly); err != nil {
		return VAEConfig{}, err
	}
	f := struct {
		In        int      `json:"in_channels"`
		Out       int      `json:"out_channels"`
		Latent    int      `json:"latent_channels"`
		Channels  []int    `json:"block_out_channels"`
		Down      []string `json:"down_block_types"`
		Up        []string `json:"up_block_types"`
		Layers    int      `json:"layers_per_block"`
		Groups    int      `json:"norm_num_groups"`
		Scale     float64  `json:"scaling_factor"`
		Shift     float64  `json:"shift_factor"`
		Quant     bool     `json:"use_quant_conv"`
		PostQuant bool     `json:"use_post_quant_conv"`
	}{
		In: 3, Out: 3, Latent: 4, Channels: []int{64}, Down: []string{"DownEncoderBlock2D"}, Up: []string{"UpDecoderBlock2D"},
		Layers: 1, Groups: 32, Scale: 0.18215, Quant: true, PostQuant: true,
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return fail("%w", err)
	}
	if err := checkChannels(f.Channels, f.Groups, f.Layers); err != nil {
		return fail("%w", err)
	}
	for _, n := range []int{f.In, f.Out, f.Latent} {
		if n < 1 || n > maxWidth {
			return fail("in_channels %d, out_channels %d or latent_channels %d is out of range", f.In, f.Out, f.Latent)
		}
	}
	if !(f.Scale > 0) {
		return fail("scaling_factor %g is out of range", f.Scale)
	}
	for _, t := range []struct {
		name, want string
		types      []string
	}{{"down_block_types", "DownEncoderBlock2D", f.Down}, {"up_block_types", "UpDecoderBlock2D", f.Up}} {
		if len(t.types) != len(f.Channels) || slices.ContainsFunc(t.types, func(s string) bool { return s != t.want }) {
			return fail("%s %v isn't supported; one %s per level is", t.name, t.types, t.want)
		}
	}
	return VAEConfig{f.In, f.Out, f.Latent, f.Channels, f.Layers, f.Groups, f.Scale, f.Shift, f.Quant, f.PostQuant}, nil
}
