package weights

import "slices"

// The model families Detect knows.
const (
	FamilyCLIP    = "CLIP"
	FamilyText    = "CLIP text encoder"
	FamilyDETR    = "DETR"
	FamilyDecoder = "caption decoder"
	FamilyUNet    = "Stable Diffusion UNet"
	FamilyVAE     = "Stable Diffusion VAE"
	FamilySD      = "Stable Diffusion" // all components in one file
)

// markers are names that only one family and naming has, most telling first.
var markers = []struct {
	name, family string
	m            NameMap
}{
	{"model.diffusion_model.input_blocks.0.0.weight", FamilySD, NameMap{Naming: "original single-file"}},
	{"visual.conv1.weight", FamilyCLIP, OpenAICLIP},
	{"vision_model.embeddings.patch_embedding.weight", FamilyCLIP, NameMap{}},
	{"text_model.embeddings.token_embedding.weight", FamilyText, NameMap{}},
	{"embeddings.token_embedding.weight", FamilyText, Transformers5},
	{"backbone.0.body.conv1.weight", FamilyDETR, DETROriginal},
	{timmBackbone + "embedder.embedder.convolution.weight", FamilyDETR, DETRNoTimm},
	{"model.backbone.model.embedder.embedder.convolution.weight", FamilyDETR, Transformers5},
	{timmBackbone + "conv1.weight", FamilyDETR, NameMap{}},
	{"decoder.transformer.wte.weight", FamilyDecoder, NameMap{}},
	{"decoder.mid_block.attentions.0.query.weight", FamilyVAE, VAEDeprecated},
	{"decoder.mid_block.attentions.0.to_q.weight", FamilyVAE, NameMap{}},
	{"mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", FamilyUNet, NameMap{}},
}

// Detect guesses from the names which model a checkpoint holds and which map
// leads to the canonical names. family is empty where nothing fits. For
// FamilySD the map depends on the component wanted: see Canonical.
func Detect(src Source) (family string, m NameMap) {
	names := src.Names()
	for _, k := range markers {
		if _, ok := slices.BinarySearch(names, k.name); ok {
			return k.family, k.m
		}
	}
	return "", NameMap{}
}

// Canonical presents src under the canonical names, whatever naming it uses;
// family is the model wanted, which picks the component of a single-file Stable
// Diffusion checkpoint. A source that is not recognised is returned as it is.
func Canonical(src Source, family string) Source {
	found, m := Detect(src)
	if found == FamilySD {
		switch family {
		case FamilyUNet:
			m = LDMUNet
		case FamilyVAE:
			m = LDMVAE
		case FamilyText:
			m = LDMText
		}
	}
	return Rename(src, m)
}
