package weights

import (
	"strconv"
	"strings"
)

var ldmResnet = strings.NewReplacer(
	"in_layers.0.", "norm1.", "in_layers.2.", "conv1.", "emb_layers.1.", "time_emb_proj.",
	"out_layers.0.", "norm2.", "out_layers.3.", "conv2.", "skip_connection.", "conv_shortcut.")

var ldmUNetRules = []prefixRule{
	{"time_embed.0.", "time_embedding.linear_1.", nil},
	{"time_embed.2.", "time_embedding.linear_2.", nil},
	{"input_blocks.0.0.", "conv_in.", nil},
	{"out.0.", "conv_norm_out.", nil},
	{"out.2.", "conv_out.", nil},
	{"middle_block.1.", "mid_block.attentions.0.", nil},
}

// ldmUNet maps the UNet of a single-file checkpoint; other components map to
// nothing. Blocks are numbered through: three per resolution.
func ldmUNet(name string) ([]string, Op) {
	rest, ok := strings.CutPrefix(name, "model.diffusion_model.")
	if !ok {
		return nil, Copy
	}
	p := strings.SplitN(rest, ".", 4)
	if len(p) == 4 {
		n, err := strconv.Atoi(p[1])
		switch {
		case p[0] == "middle_block" && (p[1] == "0" || p[1] == "2"):
			tail := strings.TrimPrefix(rest, "middle_block."+p[1]+".")
			return []string{"mid_block.resnets." + strconv.Itoa(n/2) + "." + ldmResnet.Replace(tail)}, Copy
		case err == nil && p[0] == "input_blocks" && n > 0:
			return []string{ldmBlock("down_blocks.", n-1, p[2], p[3])}, Copy
		case err == nil && p[0] == "output_blocks":
			return []string{ldmBlock("up_blocks.", n, p[2], p[3])}, Copy
		}
	}
	return applyPrefix(ldmUNetRules, rest)
}

// ldmBlock names the n-th sub-block of one side. Part 0 is the resnet or the
// downsampler, a part called conv the upsampler, any other the attention.
func ldmBlock(side string, n int, part, rest string) string {
	block, sub := side+strconv.Itoa(n/3)+".", strconv.Itoa(n%3)+"."
	switch {
	case strings.HasPrefix(rest, "op."):
		return block + "downsamplers.0.conv." + rest[len("op."):]
	case strings.HasPrefix(rest, "conv."):
		return block + "upsamplers.0." + rest
	case part == "0":
		return block + "resnets." + sub + ldmResnet.Replace(rest)
	}
	return block + "attentions." + sub + rest
}

var ldmVAEParts = strings.NewReplacer(
	"norm_out.", "conv_norm_out.", "nin_shortcut.", "conv_shortcut.",
	".block.", ".resnets.", ".downsample.", ".downsamplers.0.", ".upsample.", ".upsamplers.0.",
	"mid.block_1.", "mid_block.resnets.0.", "mid.block_2.", "mid_block.resnets.1.",
	"mid.attn_1.norm.", "mid_block.attentions.0.group_norm.",
	"mid.attn_1.q.", "mid_block.attentions.0.to_q.", "mid.attn_1.k.", "mid_block.attentions.0.to_k.",
	"mid.attn_1.v.", "mid_block.attentions.0.to_v.", "mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0.")

// ldmVAE maps the autoencoder of a single-file checkpoint; other components map
// to nothing. Its decoder counts the resolutions from the finest, diffusers from
// the coarsest of the four.
func ldmVAE(name string) ([]string, Op) {
	rest, ok := strings.CutPrefix(name, "first_stage_model.")
	if !ok {
		return nil, Copy
	}
	op := Copy
	if strings.Contains(rest, ".attn_1.") && strings.HasSuffix(rest, ".weight") && !strings.HasSuffix(rest, ".norm.weight") {
		op = Squeeze // 1×1 convolutions became linear layers
	}
	p := strings.SplitN(rest, ".", 4)
	if len(p) == 4 {
		n, err := strconv.Atoi(p[2])
		switch {
		case err == nil && p[0] == "encoder" && p[1] == "down":
			p[1] = "down_blocks"
		case err == nil && p[0] == "decoder" && p[1] == "up" && n <= 3:
			p[1], p[2] = "up_blocks", strconv.Itoa(3-n)
		}
		rest = strings.Join(p, ".")
	}
	return []string{ldmVAEParts.Replace(rest)}, op
}

func ldmText(name string) ([]string, Op) {
	rest, ok := strings.CutPrefix(name, "cond_stage_model.transformer.")
	if !ok {
		return nil, Copy
	}
	return []string{rest}, Copy
}
