package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
)

// quick are flags that make drawing short.
var quick = []string{"--steps", "2", "--seed", "5"}

func generate(t *testing.T, args ...string) done {
	t.Helper()
	return command(t, append(append([]string{"generate"}, quick...), args...)...)
}

// decoded reads a picture file.
func decoded(t *testing.T, path string) *vision.Picture {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	p, _, err := vision.Decode(f, vision.Limits{})
	require.NoError(t, err, path)
	return p
}

func TestGenerateOneFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "dog.png")
	d := generate(t, "a dog", "-o", file, "--negative", "a cat")
	require.Equal(t, 0, d.code, d.err)
	require.Equal(t, file+" (seed 5)\n", d.out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(data), "a dog\nNegative prompt: a cat\nSteps: 2, Sampler: ddim, CFG scale: 5, Seed: 5, Size: 64x64, Model: scale model")
	for _, more := range [][]string{{"--threads", "1"}, {"--threads", "3"}, {"--batch", "4"}} {
		again := filepath.Join(dir, "again.png")
		require.Equal(t, 0, generate(t, append(more, "a dog", "-o", again, "--negative", "a cat")...).code)
		same, err := os.ReadFile(again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, same), more)
	}
}

func TestGenerateManyIntoAFolder(t *testing.T) {
	dir := t.TempDir()
	prompts := filepath.Join(dir, "prompts.txt")
	require.NoError(t, os.WriteFile(prompts, []byte("\ufeffZwei Zebras!\r\n\n  a red car \n"), 0o644))
	out := filepath.Join(dir, "out")
	d := generate(t, "a/dog: \"x\"", "--from", prompts, "-o", out, "--count", "2", "--batch", "4", "--json", "--format", "webp")
	require.Equal(t, 0, d.code, d.err)
	var got []drawnLine
	for _, line := range d.lines() {
		var l drawnLine
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Equal(t, 64, decoded(t, l.File).W)
		l.File, _ = filepath.Rel(out, l.File)
		got = append(got, l)
	}
	require.Len(t, got, 6)
	require.Equal(t, drawnLine{"a-dog-x-5.webp", `a/dog: "x"`, "", 5, 64, 64, 2, 5, "ddim"}, got[0])
	require.Equal(t, "zwei-zebras-8.webp", got[3].File)
	require.Equal(t, "a-red-car-10.webp", got[5].File)
	// A picture is the one that its own seed gives alone.
	alone := filepath.Join(dir, "alone.webp")
	require.Equal(t, 0, command(t, "generate", "--steps", "2", "--seed", "10", "a red car", "-o", alone).code)
	require.Equal(t, decoded(t, filepath.Join(out, "a-red-car-10.webp")), decoded(t, alone))
}

func TestGenerateFromStandardInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.jpg")
	d := commandWith(t, t.Context(), &app{in: strings.NewReader("a dog\n")}, append(append([]string{"generate"}, quick...), "--from", "-", "-o", file)...)
	require.Equal(t, 0, d.code, d.err)
	decoded(t, file)
}

func TestGeneratePreviewAndInit(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.png")
	require.Equal(t, 0, generate(t, "a dog", "-o", file, "--steps", "4", "--preview", "1").code)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1, "the preview goes when the picture is there")
	wide := filepath.Join(dir, "wide.png")
	d := generate(t, "a dog", "-o", wide, "--init-image", "sample:sheep", "--strength", "0.5", "--steps", "4", "--width", "96")
	require.Equal(t, 0, d.code, d.err)
	p := decoded(t, wide)
	require.Equal(t, [2]int{96, 64}, [2]int{p.W, p.H})
	data, err := os.ReadFile(wide)
	require.NoError(t, err)
	require.Contains(t, string(data), "Denoising strength: 0.5")
}

func TestGeneratePlan(t *testing.T) {
	dir := t.TempDir()
	d := generate(t, "a dog", "--plan", "--json", "-o", filepath.Join(dir, "none"))
	require.Equal(t, 0, d.code, d.err)
	var plan drawPlan
	require.NoError(t, json.Unmarshal([]byte(d.out), &plan))
	require.Len(t, plan.Stages, 4)
	require.Greater(t, plan.Resident, plan.Lean)
	require.Positive(t, plan.Seconds)
	require.NoDirExists(t, filepath.Join(dir, "none"))
	text := good(t, "generate", "a dog", "--plan")
	require.Contains(t, text, "picture decoder")
	require.Contains(t, text, "peak, stage by stage")
	plan.Available = plan.Lean - 1
	require.ErrorContains(t, plan.fits(nil), "--weights f16")
}

// TestGenerateInterrupted leaves the pictures finished before, whole, and no other.
func TestGenerateInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	stop := &stopper{cancel: cancel}
	d := commandWith(t, ctx, &app{out: stop}, append(append([]string{"generate"}, quick...), "a dog", "--count", "50", "-o", dir)...)
	require.Equal(t, 130, d.code)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	require.Less(t, len(list), 50)
	for _, e := range list {
		decoded(t, filepath.Join(dir, e.Name()))
	}
}

// TestGenerateReportsWriting: a picture that can't be written ends the run, and those
// before it are whole.
func TestGenerateReportsWriting(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a-dog-6.png"), 0o755))
	d := generate(t, "a dog", "--count", "6", "-o", dir)
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "a-dog-6.png")
	require.Contains(t, d.out, "a-dog-5.png (seed 5)")
	decoded(t, filepath.Join(dir, "a-dog-5.png"))
	require.NoFileExists(t, filepath.Join(dir, "a-dog-10.png"), "the run ended")
}

// stopper cancels once something is written.
type stopper struct{ cancel context.CancelFunc }

func (s *stopper) Write(p []byte) (int, error) {
	s.cancel()
	return len(p), nil
}

func TestGenerateErrors(t *testing.T) {
	dir := t.TempDir()
	empty, cut := filepath.Join(dir, "empty.txt"), filepath.Join(dir, "cut.safetensors")
	require.NoError(t, os.WriteFile(empty, []byte("\n \n"), 0o644))
	require.NoError(t, os.WriteFile(cut, []byte("\x80\x00\x00\x00\x00\x00\x00\x00{\"a\":"), 0o644))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "generate what?"},
		{[]string{"--from", empty}, 1, "no prompts"},
		{[]string{"--from", filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{"x", "--steps", "0"}, 1, "0 steps"},
		{[]string{"x", "--guidance", "nan"}, 1, "guidance of NaN"},
		{[]string{"x", "--guidance", "-3"}, 1, "guidance of -3"},
		{[]string{"x", "--width", "63"}, 1, "such as 60 or 64"},
		{[]string{"x", "--height", "999999999"}, 1, "height of 999999999"},
		{[]string{"x", "--width", "8192", "--height", "8192"}, 1, "at most"},
		{[]string{"x", "--scheduler", "best"}, 1, `"best" is unknown`},
		{[]string{"x", "--rng", "dice"}, 2, "--rng dice"},
		{[]string{"x", "--batch", "0"}, 2, "--batch 0"},
		{[]string{"x", "--count", "0"}, 2, "--count 0"},
		{[]string{"x", "--preview", "-1"}, 2, "--preview -1"},
		{[]string{"x", "--format", "gif"}, 2, "--format gif"},
		{[]string{"x", "-o", "a.gif"}, 2, `cannot write ".gif"`},
		{[]string{"x", "y", "-o", "a.png"}, 2, "2 pictures need a folder"},
		{[]string{"x", "--strength", "0.5"}, 2, "needs --init-image"},
		{[]string{"x", "--init-image", "sample:sheep", "--strength", "2"}, 1, "strength of 2"},
		{[]string{"x", "--init-image", empty}, 1, "empty.txt"},
		{[]string{"x", "--winograd", "f8"}, 2, "--winograd f8"},
		{[]string{"x", "--model", dir}, 1, "unet/config.json"},
		{[]string{"x", "--model", filepath.Join(dir, "none")}, 1, "can't be used"},
		{[]string{"x", "--model", cut}, 1, "cut.safetensors"},
		{[]string{"x", "-o", filepath.Join(dir, "no", "folder", "a.png")}, 1, "no such file"},
	} {
		d := generate(t, c.args...)
		require.Equal(t, c.code, d.code, "%v: %s", c.args, d.err)
		require.Contains(t, d.err, c.want, c.args)
	}
	for _, prompt := range []string{"", strings.Repeat("a dog ", 1<<18), "\xff\x00\n"} {
		d := generate(t, prompt, "-o", filepath.Join(dir, "odd.jpg"))
		require.Equal(t, 0, d.code, d.err)
	}
}

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"a dog": "a-dog", "": "picture", "../../etc/passwd": "etc-passwd", "«Größe» 3!": "größe-3", strings.Repeat("ab ", 50): strings.TrimSuffix(strings.Repeat("ab-", 20), "-"),
	} {
		require.Equal(t, want, slug(text))
	}
}

func TestSynth(t *testing.T) {
	dir := t.TempDir()
	captions, store := filepath.Join(dir, "captions.txt"), filepath.Join(dir, "store")
	require.NoError(t, os.WriteFile(captions, []byte("a dog\na cat\na dog\n"), 0o644))
	args := []string{"synth", captions, "-o", store, "--steps", "2", "--keep", "features,pictures"}
	require.Equal(t, "2 captions: 2 drawn, 0 there before, 0 failed\n", good(t, append(args, "--shard", "1/2")...))
	require.Equal(t, "1 captions: 1 drawn, 0 there before, 0 failed\n", good(t, append(args, "--shard", "2/2")...))
	require.Equal(t, "{\"captions\":3,\"drawn\":0,\"failed\":0,\"there\":3}\n", good(t, append(args, "--json")...))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{captions}, 2, "needs -o"},
		{[]string{}, 2, "one file of captions"},
		{[]string{filepath.Join(dir, "none"), "-o", store}, 1, "no such file"},
		{[]string{captions, "-o", store, "--keep", "pixels"}, 2, "--keep pixels"},
		{[]string{captions, "-o", store, "--keep", ""}, 2, "nothing"},
		{[]string{captions, "-o", store, "--shard", "3/2"}, 2, "isn't i/n"},
		{[]string{captions, "-o", store, "--threshold", "2"}, 2, "--threshold"},
		{[]string{captions, "-o", store, "--steps", "0"}, 1, "0 steps"},
		{[]string{captions, "-o", store, "--steps", "3", "--keep", "features,pictures"}, 1, "was made with steps 2, not 3"},
		{[]string{captions, "-o", dir}, 1, "no store.json"},
	} {
		d := command(t, append([]string{"synth"}, c.args...)...)
		require.Equal(t, c.code, d.code, "%v: %s", c.args, d.err)
		require.Contains(t, d.err, c.want, c.args)
	}
}
