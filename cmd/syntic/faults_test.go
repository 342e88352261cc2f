package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/caption"
	"syntic/tensor"
	"syntic/weights"
)

// rewrite passes a safetensors file's tensors through change, which keeps, alters
// or drops them.
func rewrite(t *testing.T, path string, change func(*weights.Info) (keep bool)) {
	t.Helper()
	src, err := weights.Open(path)
	require.NoError(t, err)
	var list []weights.Info
	for _, n := range src.Names() {
		info, err := src.Get(n)
		require.NoError(t, err)
		info.Data = slices.Clone(info.Data) // the file is about to change
		if change(&info) {
			list = append(list, info)
		}
	}
	require.NoError(t, src.Close())
	require.NoError(t, weights.Write(path, list, nil))
}

// Whatever is wrong with a model directory, one message says what and where,
// and nothing crashes.
func TestDamagedModelDirectories(t *testing.T) {
	config := func(part, key string, value any) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			changeJSON(t, filepath.Join(dir, part, "config.json"), func(c map[string]any) { c[key] = value })
		}
	}
	inner := func(key, field string, value any) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			changeJSON(t, filepath.Join(dir, "clip", "config.json"), func(c map[string]any) { c[key].(map[string]any)[field] = value })
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
	}
	content := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, dir, name, []byte(text)) }
	}
	cut := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, info.Size()/2))
		}
	}
	drop := func(file string, names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, file), func(w *weights.Info) bool { return !slices.Contains(names, w.Name) })
		}
	}
	shorten := func(t *testing.T, path, name string, rows int) {
		rewrite(t, path, func(w *weights.Info) bool {
			if w.Name == name {
				w.Data = w.Data[:len(w.Data)/w.Shape[0]*rows]
				w.Shape = []int{rows, w.Shape[1]}
			}
			return true
		})
	}
	for name, c := range map[string]struct {
		change func(*testing.T, string)
		want   []string
	}{
		"no clip config":      {remove("clip/config.json"), []string{"neither clip/config.json nor config.json is there"}},
		"no vocabulary":       {remove("clip/vocab.json"), []string{"clip", "vocab.json"}},
		"no merges":           {remove("clip/merges.txt"), []string{"clip", "merges.txt"}},
		"no clip weights":     {remove("clip/model.safetensors"), []string{"clip"}},
		"no captioner config": {remove("captioner/config.json"), []string{"captioner: config.json is missing"}},
		"no decoder weights":  {remove("captioner/model.safetensors"), []string{"captioner"}},
		"no detr weights":     {remove("detr/model.safetensors"), []string{"detr"}},
		"no tag features":     {remove("captioner/tags.safetensors"), []string{"captioner", "tags.safetensors"}},
		"cut clip":            {cut("clip/model.safetensors"), []string{"clip/model.safetensors"}},
		"cut detr":            {cut("detr/model.safetensors"), []string{"detr/model.safetensors"}},
		"cut decoder":         {cut("captioner/model.safetensors"), []string{"captioner/model.safetensors"}},
		"cut prefix":          {cut("captioner/prefix.safetensors"), []string{"captioner/prefix.safetensors"}},
		"cut memory":          {cut("captioner/support_A.safetensors"), []string{"captioner/support_A.safetensors"}},
		"empty weights":       {content("clip/model.safetensors", ""), []string{"clip/model.safetensors"}},
		"page for weights":    {content("detr/model.safetensors", "<html>sign in</html>"), []string{"detr/model.safetensors"}},
		"pointer for weights": {content("clip/model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), []string{"clip/model.safetensors"}},
		"config not JSON":     {content("detr/config.json", "{"), []string{"detr", "DETR config"}},
		"settings not JSON":   {content("captioner/syntic.json", "{tau: 1}"), []string{"captioner: syntic.json"}},
		"settings wrong":      {content("captioner/syntic.json", `{"tau": -3}`), []string{"captioner: syntic.json: temperature -3"}},
		"settings' memory":    {content("captioner/syntic.json", `{"memory": "none.safetensors"}`), []string{"captioner/none.safetensors"}},
		"preprocessor":        {content("clip/preprocessor_config.json", `{"crop_size": -1}`), []string{"clip"}},
		"tags not a list":     {content("captioner/tags.json", `{}`), []string{"captioner/tags.json"}},
		"fewer tags":          {content("captioner/tags.json", `["cat", "dog"]`), []string{"tag_features has shape [49,128], want [2,128]"}},
		"two memories":        {content("captioner/support_B.safetensors", "x"), []string{"several memories (support_A.safetensors, support_B.safetensors)"}},
		"other width":         {inner("vision_config", "hidden_size", 64), []string{"68 of another shape", "vision_model.embeddings.class_embedding: is [128], want [64]", "visual_projection.weight"}},
		"more layers":         {inner("text_config", "num_hidden_layers", 5), []string{"16 missing", "text_model.encoder.layers.4.mlp.fc2.weight", "text_model.encoder.layers.4.layer_norm1.bias"}},
		"fewer layers":        {inner("text_config", "num_hidden_layers", 3), []string{"16 unexpected", "text_model.encoder.layers.3.mlp.fc2.weight"}},
		"other heads":         {inner("text_config", "num_attention_heads", 3), []string{"clip", "hidden_size 128 isn't a multiple of num_attention_heads 3"}},
		"other end mark":      {inner("text_config", "eos_token_id", 5), []string{"ends texts at token 5, the tokenizer at 1023"}},
		"other projection":    {config("clip", "projection_dim", 64), []string{"visual_projection.weight: is [128 128], want [64 128]"}},
		"other classes":       {config("detr", "id2label", map[string]string{"0": "cat"}), []string{"class_labels_classifier.weight: is [50 128], want [2 128]"}},
		"other queries":       {config("detr", "num_queries", 100), []string{"is [12 128], want [100 128]"}},
		"other vocabulary":    {config("captioner", "vocab_size", 1000), []string{"transformer.wte.weight: is [1024 128], want [1000 128]"}},
		"absurd sizes":        {config("captioner", "n_embd", 1<<40), []string{"n_embd 1099511627776"}},
		"untied":              {config("captioner", "tie_word_embeddings", false), []string{"tie_word_embeddings"}},
		"missing tensors": {drop("clip/model.safetensors", "text_model.final_layer_norm.bias", "vision_model.post_layernorm.weight", "logit_scale"),
			[]string{"3 missing, 0 unexpected", "missing: text_model.final_layer_norm.bias", "missing: vision_model.post_layernorm.weight", "missing: logit_scale"}},
		"missing prefix": {drop("captioner/prefix.safetensors", "aux_project.bias"), []string{"prefix.safetensors", "1 missing", "aux_project.bias"}},
		"swapped parts": {func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "detr", "model.safetensors"), filepath.Join(dir, "clip", "model.safetensors")))
		}, []string{"clip", "hint: this looks like DETR"}},
		"decoder's vocabulary": {func(t *testing.T, dir string) {
			config("captioner", "vocab_size", 1000)(t, dir)
			shorten(t, filepath.Join(dir, "captioner", "model.safetensors"), "transformer.wte.weight", 1000)
		}, []string{"captioner: the decoder has 1000 tokens, the tokenizer 1024"}},
		"text tower's vocabulary": {func(t *testing.T, dir string) {
			inner("text_config", "vocab_size", 1000)(t, dir)
			shorten(t, filepath.Join(dir, "clip", "model.safetensors"), "text_model.embeddings.token_embedding.weight", 1000)
		}, []string{"clip: the tokenizer has 1024 tokens, the text tower 1000; vocab.json belongs to another model"}},
		"smaller vocabulary": {func(t *testing.T, dir string) {
			changeJSON(t, filepath.Join(dir, "clip", "vocab.json"), func(c map[string]any) { delete(c, "sco") })
		}, []string{"sco"}},
		"memory of another size": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "captioner", "support_A.txt")))
			require.NoError(t, caption.ImportMemory(filepath.Join(dir, "captioner", "support_A.safetensors"), []float32{1, 0, 0, 1}, 2, caption.NewCorpus([]string{"a", "b"}), weights.F32))
		}, []string{"support_A.safetensors: features of 2 values, but CLIP's have 128"}},
		"empty memory": {func(t *testing.T, dir string) {
			require.NoError(t, weights.Write(filepath.Join(dir, "captioner", "support_A.safetensors"), []weights.Info{{Name: "text_features", Shape: []int{0, 128}}}, nil))
		}, []string{"support_A.safetensors", "a memory needs at least one row"}},
		"memory not of unit length": {func(t *testing.T, dir string) {
			v := make([]float32, 2*128)
			v[0], v[128] = 1, 7
			require.NoError(t, os.Remove(filepath.Join(dir, "captioner", "support_A.txt")))
			require.NoError(t, weights.Write(filepath.Join(dir, "captioner", "support_A.safetensors"), []weights.Info{{Name: "text_features", Shape: []int{2, 128}, Data: tensor.FromF32(v, 2, 128).Data}}, nil))
		}, []string{"row 1 has length 7, not 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyBundle(t)
			c.change(t, dir)
			d := command(t, "caption", "--model", dir, sheep)
			require.Equal(t, 1, d.code, d.out)
			require.Empty(t, d.out)
			require.True(t, strings.HasPrefix(d.err, "syntic: "), d.err)
			for _, w := range c.want {
				require.Contains(t, d.err, w)
			}
			require.Equal(t, 1, strings.Count(d.err, "syntic: "), "one message: %s", d.err)
		})
	}
}

// --model may be a place where no model is.
func TestModelElsewhere(t *testing.T) {
	dir := t.TempDir()
	file := put(t, dir, "model.safetensors", []byte("x"))
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory",
		file:                       "is a file; a model is a directory with clip/, detr/ and captioner/",
		t.TempDir():                "neither clip/config.json nor config.json is there",
	} {
		for _, args := range [][]string{{"caption", sheep}, {"embed", "--text", "x"}} {
			d := command(t, append(args, "--model", path)...)
			require.Equal(t, 1, d.code)
			require.Contains(t, d.err, path)
			require.Contains(t, d.err, want)
		}
	}
	d := command(t, "detect", "--model", t.TempDir(), sheep)
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "neither detr/config.json nor config.json is there")
	// A copy of the scale model is a model like any other.
	require.Equal(t, stopSign, captionOf(t, "sample:stop-sign", "--model", copyBundle(t)))
}

// Unusable memories given by hand.
func TestDamagedMemories(t *testing.T) {
	dir := t.TempDir()
	v := make([]float32, 128)
	v[5] = 1
	make := func(name string, info weights.Info) string {
		path := filepath.Join(dir, name)
		require.NoError(t, weights.Write(path, []weights.Info{info}, nil))
		return path
	}
	for path, want := range map[string]string{
		make("empty.safetensors", weights.Info{Name: "text_features", Shape: []int{0, 128}}):                                                                  "at least one row",
		make("other.safetensors", weights.Info{Name: "text_features", Shape: []int{2, 64}, Data: tensor.FromF32(twoUnits(64), 2, 64).Data}):                   "features of 64 values, but CLIP's have 128",
		make("long.safetensors", weights.Info{Name: "text_features", Shape: []int{1, 127}, Data: tensor.FromF32(append([]float32{3}, v[:126]...), 127).Data}): "row 0 has length",
		make("none.safetensors", weights.Info{Name: "something", Shape: []int{1, 128}, Data: tensor.FromF32(v, 128).Data}):                                    "isn't a support memory",
		put(t, dir, "cut.safetensors", []byte{200, 0, 0}):                                                                                                     "cut.safetensors",
		dir: dir,
	} {
		d := command(t, "caption", "--quiet", "--memory", path, sheep)
		require.Equal(t, 1, d.code, path)
		require.Contains(t, d.err, want)
		require.Empty(t, d.out)
	}
}

// twoUnits returns two unit vectors.
func twoUnits(d int) []float32 {
	v := make([]float32, 2*d)
	v[0], v[d] = 1, 1
	return v
}
