package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/caption"
	"syntic/weights"
)

func TestDetect(t *testing.T) {
	out := good(t, "detect", "--quiet", "sample:stop-sign", "sample:giraffe-zebra")
	require.Contains(t, out, "sample:stop-sign: 2 objects\n  stop sign ")
	require.Contains(t, out, "  giraffe ")
	var got struct {
		File    string
		Objects []caption.Tag
	}
	require.NoError(t, json.Unmarshal([]byte(good(t, "detect", "--quiet", "--json", "--threshold", "0", "sample:kite")), &got))
	require.Len(t, got.Objects, 12, "every query")
	for i, o := range got.Objects {
		require.True(t, i == 0 || o.Score <= got.Objects[i-1].Score)
		require.Less(t, o.Box[0], o.Box[2])
	}
	require.Contains(t, good(t, "detect", "--quiet", "--json", "--threshold", "1", "sample:kite"), `"objects":[]`)
	path := filepath.Join(t.TempDir(), "boxes.jpg")
	good(t, "detect", "--quiet", "--annotate", path, "sample:kite")
	isPicture(t, path, 64, 64)
}

// The features printed, in safetensors and in NumPy's format are the same, and
// the cosines follow from them.
func TestEmbed(t *testing.T) {
	dir := t.TempDir()
	args := []string{"embed", "--quiet", "sample:sheep", "sample:kite", "--text", "a sheep", "--texts", put(t, dir, "t.txt", []byte("a kite\n"))}
	d := command(t, args...)
	require.Equal(t, 0, d.code, d.err)
	require.Len(t, d.lines(), 4)
	var rows [][]float32
	for i, l := range d.lines() {
		var one struct {
			File, Text string
			Feature    []float32
		}
		require.NoError(t, json.Unmarshal([]byte(l), &one))
		require.Equal(t, []string{"sample:sheep", "sample:kite", "a sheep", "a kite"}[i], one.File+one.Text)
		rows = append(rows, one.Feature)
	}
	npy, st := filepath.Join(dir, "f.npy"), filepath.Join(dir, "f.safetensors")
	good(t, append(args, "-o", npy)...)
	good(t, append(args, "-o", st)...)
	v, cols, err := caption.ReadFeatures(npy, 0)
	require.NoError(t, err)
	require.Equal(t, 128, cols)
	for i, r := range rows {
		require.Equal(t, r, v[i*cols:(i+1)*cols])
	}
	src, err := weights.Open(st)
	require.NoError(t, err)
	require.Equal(t, []string{"pictures", "texts"}, src.Names())
	require.NoError(t, src.Close())
	d = command(t, append(args, "--similarity", "--json")...)
	require.Len(t, d.lines(), 2)
	var one struct {
		File  string
		Texts []struct {
			Text                string
			Cosine, Probability float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(d.lines()[1]), &one))
	cos := 0.0
	for i, x := range rows[1] {
		cos += float64(x) * float64(rows[3][i])
	}
	require.InDelta(t, cos, one.Texts[1].Cosine, 1e-9)
	require.Greater(t, one.Texts[1].Probability, 0.5, "a kite looks like a kite")
	require.InDelta(t, 1, one.Texts[0].Probability+one.Texts[1].Probability, 1e-9)
	require.Contains(t, good(t, append(args, "--similarity")...), "%  a kite\n")
	d = command(t, "embed", "--text", strings.Repeat("sheep ", 100))
	require.Equal(t, 0, d.code)
	require.Contains(t, d.err, "1 texts have more tokens than CLIP reads (32) and were cut")
}

// Features made by embed are a memory's.
func TestMemoryFromFeatures(t *testing.T) {
	dir := t.TempDir()
	texts := put(t, dir, "t.txt", []byte("a sheep\na kite\n"))
	features, made, built := filepath.Join(dir, "f.npy"), filepath.Join(dir, "made.safetensors"), filepath.Join(dir, "built.safetensors")
	good(t, "embed", "--quiet", "--texts", texts, "-o", features)
	good(t, "memory", "build", "--quiet", texts, "--features", features, "-o", made)
	good(t, "memory", "build", "--quiet", texts, "-o", built)
	require.Equal(t, captionOf(t, sheep, "--explain", "--memory", built), captionOf(t, sheep, "--explain", "--memory", made))
	list := put(t, dir, "t.json", []byte(`["a sheep", "a kite"]`))
	good(t, "memory", "build", "--quiet", list, "--dtype", "f32", "-o", made)
	for want, args := range map[string][]string{
		"a list of texts is expected":  {put(t, dir, "bad.json", []byte(`{"a": 1}`))},
		"empty or holds blank texts":   {put(t, dir, "blank.json", []byte(`["a", " "]`))},
		"aren't 1 texts of 128":        {put(t, dir, "one.txt", []byte("a sheep\n")), "--features", features},
		"give their number with --dim": {texts, "--features", put(t, dir, "f.f32", make([]byte, 10))},
		"feature of text 1 is zero":    {texts, "--features", put(t, dir, "zero.f32", make([]byte, 2*4*512))},
	} {
		d := command(t, append([]string{"memory", "build", "--quiet", "-o", filepath.Join(dir, "no.safetensors")}, args...)...)
		require.Equal(t, 1, d.code)
		require.Contains(t, d.err, want)
		require.NoFileExists(t, filepath.Join(dir, "no.safetensors"))
	}
}

func TestInspect(t *testing.T) {
	path := filepath.Join(bundle, "clip", "model.safetensors")
	require.Contains(t, good(t, "inspect", path), "F16   [1024,128]             text_model.embeddings.token_embedding.weight")
	require.Contains(t, good(t, "inspect", filepath.Dir(path), "--finite"), "all values are finite")
	var r inspection
	require.NoError(t, json.Unmarshal([]byte(good(t, "inspect", "--json", path)), &r))
	require.Equal(t, "CLIP", r.Model)
	require.Greater(t, len(r.Tensors), 100)
	nan := filepath.Join(t.TempDir(), "nan.safetensors")
	data := []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f} // 1, NaN
	require.NoError(t, weights.Write(nan, []weights.Info{{Name: "w", Shape: []int{2}, Data: data}}, nil))
	require.Contains(t, good(t, "inspect", "--finite", nan), "not finite: w")
	d := command(t, "inspect", "--strict", nan)
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "1 tensors hold NaN or infinity")
	for _, bad := range []string{filepath.Join(t.TempDir(), "none"), put(t, t.TempDir(), "x.pt", []byte("cos\nsystem\n(S'true'\ntR.")), put(t, t.TempDir(), "y.safetensors", nil)} {
		d := command(t, "inspect", bad)
		require.Equal(t, 1, d.code)
		require.Contains(t, d.err, filepath.Base(bad))
	}
}

func TestDoctor(t *testing.T) {
	out := good(t, "doctor", "--threads", "1", "--isa", "portable")
	require.Contains(t, out, "portable (--isa)")
	require.Contains(t, out, "1 threads in use")
	var r report
	require.NoError(t, json.Unmarshal([]byte(good(t, "doctor", "--json", "--quiet", "--plan", "--batch", "4", "--beams", "3")), &r))
	require.NotEmpty(t, r.Why)
	require.Len(t, r.Plan.Stages, 4)
	sum := r.Plan.Weights
	for _, s := range r.Plan.Stages {
		sum += s.Arena + s.States
	}
	require.Equal(t, sum, r.Plan.Total)
	d := command(t, "doctor", "--quiet", "--plan", "--batch", "99")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "99 pictures")
}

func TestVersionAndHelp(t *testing.T) {
	require.Contains(t, good(t, "version"), "syntic development (commit ")
	var v map[string]string
	require.NoError(t, json.Unmarshal([]byte(good(t, "version", "--json")), &v))
	require.NotEmpty(t, v["go"])
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		out := good(t, args...)
		for _, c := range []string{"caption", "detect", "embed", "memory", "verify", "bench", "inspect", "doctor", "completion"} {
			require.Contains(t, out, "\n  "+c+" ", args)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, good(t, "completion", shell), "syntic")
	}
	require.Contains(t, good(t, "help", "caption"), "--annotate PATH")
}
