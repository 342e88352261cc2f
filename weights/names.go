package weights

import (
	"strconv"
	"strings"
)

// The naming schemes in the wild, as maps to the canonical names.
// Source: golden/NAMES/map.*.json, which the tests compare row by row.
var (
	OpenAICLIP    = NameMap{"OpenAI CLIP", openAICLIP}
	DETROriginal  = NameMap{"original DETR", detrOriginal}
	DETRNoTimm    = NameMap{"Hugging Face DETR, no_timm", detrNoTimm}
	Transformers5 = NameMap{"transformers 5", transformers5}
	VAEDeprecated = NameMap{"early diffusers VAE", vaeDeprecated}
	LDMUNet       = NameMap{"Stable Diffusion in one file", ldmUNet}
	LDMVAE        = NameMap{"Stable Diffusion in one file", ldmVAE}
	LDMText       = NameMap{"Stable Diffusion in one file", ldmText}
)

// naming is Naming with a word for the canonical names.
func (m NameMap) naming() string {
	if m.Naming == "" {
		return "canonical"
	}
	return m.Naming
}

// prefixRule rewrites names that begin with from: the prefix becomes to, and the
// pairs old, new of within are replaced in the rest.
type prefixRule struct {
	from, to string
	within   []string
}

// applyPrefix uses the first rule that fits. A fused in_proj_weight or
// in_proj_bias splits into the three projections.
func applyPrefix(rules []prefixRule, name string) ([]string, Op) {
	for _, r := range rules {
		rest, ok := strings.CutPrefix(name, r.from)
		if !ok {
			continue
		}
		rest = strings.NewReplacer(r.within...).Replace(rest)
		for _, kind := range []string{"weight", "bias"} {
			if stem, ok := strings.CutSuffix(rest, "in_proj_"+kind); ok {
				var out []string
				for _, p := range []string{"q_proj.", "k_proj.", "v_proj."} {
					out = append(out, r.to+stem+p+kind)
				}
				return out, Split0
			}
		}
		return []string{r.to + rest}, Copy
	}
	return []string{name}, Copy
}

var resblocks = []string{
	"attn.", "self_attn.", "ln_1.", "layer_norm1.", "ln_2.", "layer_norm2.",
	"mlp.c_fc.", "mlp.fc1.", "mlp.c_proj.", "mlp.fc2.",
}

var openAIRules = []prefixRule{
	{"positional_embedding", "text_model.embeddings.position_embedding.weight", nil},
	{"token_embedding.", "text_model.embeddings.token_embedding.", nil},
	{"ln_final.", "text_model.final_layer_norm.", nil},
	{"transformer.resblocks.", "text_model.encoder.layers.", resblocks},
	{"visual.class_embedding", "vision_model.embeddings.class_embedding", nil},
	{"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight", nil},
	{"visual.conv1.", "vision_model.embeddings.patch_embedding.", nil},
	{"visual.ln_pre.", "vision_model.pre_layrnorm.", nil},
	{"visual.ln_post.", "vision_model.post_layernorm.", nil},
	{"visual.transformer.resblocks.", "vision_model.encoder.layers.", resblocks},
}

func openAICLIP(name string) ([]string, Op) {
	switch name {
	case "text_projection":
		return []string{"text_projection.weight"}, Transpose
	case "visual.proj":
		return []string{"visual_projection.weight"}, Transpose
	}
	return applyPrefix(openAIRules, name)
}

var detrOriginalRules = []prefixRule{
	{"backbone.0.body.", "model.backbone.conv_encoder.model.", nil},
	{"query_embed.", "model.query_position_embeddings.", nil},
	{"input_proj.", "model.input_projection.", nil},
	{"class_embed.", "class_labels_classifier.", nil},
	{"bbox_embed.", "bbox_predictor.", nil},
	{"transformer.encoder.layers.", "model.encoder.layers.", []string{
		"norm1.", "self_attn_layer_norm.", "norm2.", "final_layer_norm.", "linear1.", "fc1.", "linear2.", "fc2.",
	}},
	{"transformer.decoder.layers.", "model.decoder.layers.", []string{
		"norm1.", "self_attn_layer_norm.", "norm2.", "encoder_attn_layer_norm.", "norm3.", "final_layer_norm.",
		"multihead_attn.", "encoder_attn.", "linear1.", "fc1.", "linear2.", "fc2.",
	}},
	{"transformer.decoder.norm.", "model.decoder.layernorm.", nil},
}

func detrOriginal(name string) ([]string, Op) { return applyPrefix(detrOriginalRules, name) }

const timmBackbone = "model.backbone.conv_encoder.model."

func detrNoTimm(name string) ([]string, Op) {
	if rest, ok := strings.CutPrefix(name, timmBackbone); ok {
		name = timmBackbone + resNet(rest)
	}
	return []string{name}, Copy
}

// resNet turns a name inside Hugging Face's ResNet into torchvision's.
func resNet(name string) string {
	p := strings.Split(name, ".")
	unit := map[string]string{"convolution": "conv", "normalization": "bn"}
	switch {
	case len(p) == 4 && p[0] == "embedder" && unit[p[2]] != "":
		return unit[p[2]] + "1." + p[3]
	case len(p) < 8 || p[0] != "encoder" || p[1] != "stages" || unit[p[len(p)-2]] == "":
		return name
	}
	block := "layer" + plusOne(p[2]) + "." + p[4]
	last := p[len(p)-1]
	switch {
	case p[5] == "shortcut" && p[6] == "convolution":
		return block + ".downsample.0." + last
	case p[5] == "shortcut":
		return block + ".downsample.1." + last
	}
	return block + "." + unit[p[7]] + plusOne(p[6]) + "." + last
}

// plusOne increments a decimal number; anything else stays.
func plusOne(s string) string {
	if n, err := strconv.Atoi(s); err == nil {
		return strconv.Itoa(n + 1)
	}
	return s
}

var detrLayer5 = []string{".o_proj.", ".out_proj.", ".mlp.fc", ".fc"}

var transformers5Rules = []prefixRule{
	{"model.encoder.layers.", "model.encoder.layers.", detrLayer5},
	{"model.decoder.layers.", "model.decoder.layers.", detrLayer5},
	{"embeddings.", "text_model.embeddings.", nil},
	{"encoder.layers.", "text_model.encoder.layers.", nil},
	{"final_layer_norm.", "text_model.final_layer_norm.", nil},
}

func transformers5(name string) ([]string, Op) {
	if rest, ok := strings.CutPrefix(name, "model.backbone.model."); ok {
		return []string{timmBackbone + resNet(rest)}, Copy
	}
	return applyPrefix(transformers5Rules, name)
}

func vaeDeprecated(name string) ([]string, Op) {
	head, attn, ok := strings.Cut(name, ".mid_block.attentions.0.")
	if !ok {
		return []string{name}, Copy
	}
	attn = strings.NewReplacer("query.", "to_q.", "key.", "to_k.", "value.", "to_v.", "proj_attn.", "to_out.0.").Replace(attn)
	return []string{head + ".mid_block.attentions.0." + attn}, Copy
}

// Ignorable reports whether a checkpoint may carry this name although no model
// needs it: buffers that are recomputed, counters, a tied copy, and the training
// leftovers of single-file Stable Diffusion.
func Ignorable(name string) bool {
	for _, suffix := range []string{"position_ids", ".num_batches_tracked", ".attn.masked_bias", tiedHead} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	switch name {
	case "input_resolution", "context_length", "vocab_size", // OpenAI's CLIP archive
		"betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
		"log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
		"posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2":
		return true
	}
	// GPT-2's causal mask; ".h.N." keeps a real attention bias of another model.
	mask := strings.HasSuffix(name, ".attn.bias") && strings.Contains("."+name, ".h.")
	return mask || strings.HasPrefix(name, "model_ema.")
}
