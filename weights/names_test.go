package weights

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed is one row of a list in golden/NAMES.
type listed struct {
	Name  string
	Shape []int
	DType string
	Extra bool
}

func nameList(t *testing.T, file string) []listed {
	t.Helper()
	var doc struct{ Tensors []listed }
	readJSON(t, shared(t, "golden", "NAMES", file), &doc)
	require.NotEmpty(t, doc.Tensors)
	return doc.Tensors
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, v))
}

// fake is a source with the names and shapes of a list, without values.
type fake map[string]Info

func fakeOf(list []listed) fake {
	f := fake{}
	for _, r := range list {
		d, ok := ParseDType(r.DType)
		if !ok {
			panic(r.DType)
		}
		f[r.Name] = Info{Name: r.Name, DType: d, Shape: slices.Clone(r.Shape)}
	}
	return f
}

func (f fake) Names() []string {
	var names []string
	for n := range f {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (f fake) Get(name string) (Info, error) {
	t, ok := f[name]
	if !ok {
		return Info{}, ErrNotFound
	}
	t.Shape = slices.Clone(t.Shape)
	return t, nil
}

func (f fake) Close() error { return nil }

// wanted are the tensors a model asks for: the list without its extras.
func wanted(list []listed) []Info {
	var want []Info
	for _, r := range list {
		if !r.Extra {
			want = append(want, Info{Name: r.Name, Shape: r.Shape})
		}
	}
	return want
}

// TestMapRows checks every row of every map: names and operation.
func TestMapRows(t *testing.T) {
	maps := map[string]func(component string) NameMap{
		"map.openai-clip-to-hf.json":           func(string) NameMap { return OpenAICLIP },
		"map.detr-original-to-hf.json":         func(string) NameMap { return DETROriginal },
		"map.detr-no_timm-to-timm.json":        func(string) NameMap { return DETRNoTimm },
		"map.transformers5-to-published.json":  func(string) NameMap { return Transformers5 },
		"map.vae-deprecated-to-diffusers.json": func(string) NameMap { return VAEDeprecated },
		"map.ldm-to-diffusers.json": func(c string) NameMap {
			return map[string]NameMap{"unet": LDMUNet, "vae": LDMVAE, "text_encoder": LDMText}[c]
		},
	}
	files, err := filepath.Glob(shared(t, "golden", "NAMES") + "/map.*.json")
	require.NoError(t, err)
	require.Len(t, files, len(maps), "every map is tested")
	for file, pick := range maps {
		var doc struct{ Pairs [][]json.RawMessage }
		readJSON(t, shared(t, "golden", "NAMES", file), &doc)
		require.Greater(t, len(doc.Pairs), 200)
		for _, row := range doc.Pairs {
			// [from, to], [from, [to…], op] or [from, component, to, op]
			text := func(i int) (s string) { require.NoError(t, json.Unmarshal(row[i], &s)); return }
			component, op, to := "", "copy", 1
			switch len(row) {
			case 3:
				op = text(2)
			case 4:
				component, to, op = text(1), 2, text(3)
			}
			var targets []string
			if json.Unmarshal(row[to], &targets) != nil {
				targets = []string{text(to)}
			}
			got, gotOp := pick(component).Map(text(0))
			require.Equal(t, targets, got, "%s: %s", file, text(0))
			require.Equal(t, op, gotOp.String(), "%s: %s", file, text(0))
		}
	}
}

// TestListsReadCanonical presents every published naming as the canonical one,
// names and shapes, whatever extras the file carries.
func TestListsReadCanonical(t *testing.T) {
	const clip, detr, vae = "clip-vit-base-patch32.hf.json", "detr-resnet-50.hf-timm.json", "sd15-vae.diffusers.json"
	const ldm, unet, text, decap = "sd15-single-file.ldm.json", "sd15-unet.diffusers.json", "sd15-text-encoder.hf.json", "decap.decoder.json"
	cases := []struct{ file, canonical, family, as string }{
		{clip, clip, FamilyCLIP, FamilyCLIP},
		{"clip-vit-b32.openai.json", clip, FamilyCLIP, FamilyCLIP},
		{detr, detr, FamilyDETR, FamilyDETR},
		{"detr-r50.original.json", detr, FamilyDETR, FamilyDETR},
		{"detr-resnet-50.hf-no_timm.json", detr, FamilyDETR, FamilyDETR},
		{vae, vae, FamilyVAE, FamilyVAE},
		{"sd15-vae.diffusers-deprecated.json", vae, FamilyVAE, FamilyVAE},
		{unet, unet, FamilyUNet, FamilyUNet},
		{text, text, FamilyText, FamilyText},
		{decap, decap, FamilyDecoder, FamilyDecoder},
		{ldm, unet, FamilySD, FamilyUNet},
		{ldm, vae, FamilySD, FamilyVAE},
		{ldm, text, FamilySD, FamilyText},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.file] = true
		list := nameList(t, c.file)
		src := fakeOf(list)
		family, _ := Detect(src)
		require.Equal(t, c.family, family, c.file)
		require.NoError(t, Check(Canonical(src, c.as), wanted(nameList(t, c.canonical))), c.file)
		for _, r := range list {
			require.Equal(t, r.Extra || r.Name == tiedHead, Ignorable(r.Name), r.Name)
		}
	}
	files, err := filepath.Glob(shared(t, "golden", "NAMES") + "/*.json")
	require.NoError(t, err)
	for _, f := range files {
		if base := filepath.Base(f); base[:4] != "map." {
			require.True(t, seen[base], "list %s is tested", base)
		}
	}
}

// TestTransformers5Lists turns the canonical lists into the names transformers 5
// holds in memory and reads them back.
func TestTransformers5Lists(t *testing.T) {
	var doc struct{ Pairs [][2]string }
	readJSON(t, shared(t, "golden", "NAMES", "map.transformers5-to-published.json"), &doc)
	for file, family := range map[string]string{"detr-resnet-50.hf-timm.json": FamilyDETR, "sd15-text-encoder.hf.json": FamilyText} {
		want := wanted(nameList(t, file))
		src := fake{}
		for _, w := range want {
			i := slices.IndexFunc(doc.Pairs, func(p [2]string) bool { return p[1] == w.Name })
			require.GreaterOrEqual(t, i, 0, w.Name)
			src[doc.Pairs[i][0]] = Info{Name: doc.Pairs[i][0], Shape: w.Shape}
		}
		found, m := Detect(src)
		require.Equal(t, family, found)
		require.Equal(t, Transformers5.Naming, m.Naming)
		require.NoError(t, Check(Rename(src, m), want))
	}
}

func TestIgnorable(t *testing.T) {
	for name, want := range map[string]bool{
		"model.backbone.conv_encoder.model.bn1.num_batches_tracked": true,
		"embeddings.position_ids":                                   true,
		"transformer.h.11.attn.bias":                                true,
		"decoder.lm_head.weight":                                    true,
		"text_model.encoder.layers.0.attn.bias":                     false,
		"visual.conv1.weight":                                       false,
		"decoder.transformer.h.0.attn.c_attn.bias":                  false,
	} {
		require.Equal(t, want, Ignorable(name), name)
	}
}

func TestRenameOps(t *testing.T) {
	list := []Info{
		{Name: "visual.proj", Shape: []int{2, 3}, Data: f32Bytes(1, 2, 3, 4, 5, 6)},
		{Name: "visual.transformer.resblocks.7.attn.in_proj_weight", Shape: []int{3, 2}, Data: f32Bytes(1, 2, 3, 4, 5, 6)},
		{Name: "visual.transformer.resblocks.7.attn.in_proj_bias", Shape: []int{3}, Data: f32Bytes(7, 8, 9)},
		{Name: "unrelated", Shape: []int{1}, Data: f32Bytes(1)},
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, Write(path, list, map[string]string{"k": "v"}))
	src := Rename(open(t, path), OpenAICLIP)
	require.Equal(t, "v", Metadata(src)["k"])
	proj := get(t, src, "visual_projection.weight")
	require.Equal(t, []int{3, 2}, proj.Shape)
	require.Equal(t, []float32{1, 4, 2, 5, 3, 6}, f32Of(t, proj))
	for i, p := range []string{"q", "k", "v"} {
		w := get(t, src, "vision_model.encoder.layers.7.self_attn."+p+"_proj.weight")
		require.Equal(t, []int{1, 2}, w.Shape)
		require.Equal(t, []float32{float32(2*i + 1), float32(2*i + 2)}, f32Of(t, w))
		require.Equal(t, []float32{float32(7 + i)}, f32Of(t, get(t, src, "vision_model.encoder.layers.7.self_attn."+p+"_proj.bias")))
	}
	require.Equal(t, "unrelated", get(t, src, "unrelated").Name)
	_, err := src.Get("visual.proj")
	require.ErrorIs(t, err, ErrNotFound)

	bad := func(name string, m NameMap, target, reason string, shape ...int) {
		t.Helper()
		_, err := Rename(fake{name: {Name: name, Shape: shape}}, m).Get(target)
		require.ErrorContains(t, err, reason)
	}
	bad("visual.proj", OpenAICLIP, "visual_projection.weight", "not a matrix", 3)
	bad("transformer.resblocks.0.attn.in_proj_bias", OpenAICLIP, "text_model.encoder.layers.0.self_attn.q_proj.bias", "cannot be split into 3", 4)
	clash := fake{"visual.proj": {Shape: []int{1, 1}}, "visual_projection.weight": {Shape: []int{1, 1}}}
	_, err = Rename(clash, OpenAICLIP).Get("visual_projection.weight")
	require.ErrorContains(t, err, `both "visual.proj" and "visual_projection.weight"`)

	squeezed, err := Rename(fake{"first_stage_model.decoder.mid.attn_1.q.weight": {Shape: []int{8, 4, 1, 1}}}, LDMVAE).Get("decoder.mid_block.attentions.0.to_q.weight")
	require.NoError(t, err)
	require.Equal(t, []int{8, 4}, squeezed.Shape)
}
