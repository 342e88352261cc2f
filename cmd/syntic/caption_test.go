package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/tools/world"
)

// The README's first command, and that the scale model is announced once, on
// standard error, unless asked not to.
func TestCaptionOfASample(t *testing.T) {
	d := command(t, "caption", "sample:stop-sign")
	require.Equal(t, done{0, stopSign + "\n", "syntic: " + world.Notice + "\n"}, d)
	d = command(t, append([]string{"caption", "--quiet"}, world.Samples()...)...)
	require.Equal(t, 0, d.code)
	require.Empty(t, d.err)
	require.Len(t, d.lines(), len(world.Samples()))
	for i, l := range d.lines() {
		require.True(t, strings.HasPrefix(l, world.Samples()[i]+": a "), l)
	}
	require.Equal(t, stopSign, captionOf(t, filepath.Join("..", "..", "tools", "world", "samples", "stop-sign.png")))
}

// Whatever computes, the caption is the same.
func TestEveryWayToComputeGivesTheCaption(t *testing.T) {
	for _, level := range isa.All() {
		for _, more := range [][]string{{"--threads", "1"}, {"--threads", "3"}, {"--weights", "f16"}, {"--weights", "bf16"}, {"--winograd", "f4"}, {"--winograd", "off"}, {"--batch", "1"}} {
			require.Equal(t, stopSign, captionOf(t, "sample:stop-sign", append(more, "--isa", level.String())...), "%v %v", level, more)
		}
		t.Setenv("SYNTIC_ISA", level.String())
		t.Setenv("SYNTIC_THREADS", "2")
		require.Equal(t, stopSign, captionOf(t, "sample:stop-sign"))
	}
}

// Folders are walked in order and taken by file names, patterns expanded, a link
// to a folder followed; batches don't change anything.
func TestFoldersAndPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"b/Kite.PNG", "a.png", "b/c/wine-glass.jpg", "notes.txt"} {
		data := []byte("not a picture")
		if n != "notes.txt" {
			data = sampleFile(t, strings.ToLower(strings.TrimSuffix(filepath.Base(strings.Replace(n, "a.png", "sheep.png", 1)), filepath.Ext(n))))
		}
		put(t, dir, n, data)
	}
	all := command(t, "caption", "--quiet", dir)
	require.Equal(t, 0, all.code, all.err)
	var files []string
	for _, l := range all.lines() {
		f, _, _ := strings.Cut(l, ": ")
		files = append(files, f)
	}
	want := []string{filepath.Join(dir, "a.png"), filepath.Join(dir, "b", "Kite.PNG"), filepath.Join(dir, "b", "c", "wine-glass.jpg")}
	require.Equal(t, want, files)
	require.Equal(t, all.out, good(t, "caption", "--quiet", "--batch", "1", dir))
	require.Equal(t, all.lines()[0], strings.TrimSuffix(good(t, "caption", "--quiet", filepath.Join(dir, "*.png"), filepath.Join(dir, "*.png")), "\n")[:len(all.lines()[0])])
	link := filepath.Join(t.TempDir(), "link")
	if os.Symlink(dir, link) == nil {
		require.Equal(t, strings.ReplaceAll(all.out, dir, link), good(t, "caption", "--quiet", link))
	}
	for arg, want := range map[string]string{
		filepath.Join(dir, "*.webp"): "no file matches",
		t.TempDir():                  "no pictures (.jpg .jpeg",
	} {
		d := command(t, "caption", "--quiet", arg)
		require.Equal(t, 1, d.code)
		require.Contains(t, d.err, arg+": "+want)
		require.Empty(t, d.out)
	}
	// A name with a pattern's characters is a file first.
	odd := put(t, dir, "what [is] this?.png", sampleFile(t, "stop-sign"))
	require.Equal(t, stopSign, captionOf(t, odd))
}

func TestJSONLines(t *testing.T) {
	broken := put(t, t.TempDir(), "broken.png", []byte("\x89PNG\r\n\x1a\nnothing"))
	d := command(t, "caption", "--json", "--explain", "--beam", "sample:stop-sign", broken, "sample:kite")
	require.Equal(t, 1, d.code)
	require.Equal(t, "syntic: "+world.Notice+"\n", d.err, "errors are in the lines")
	require.Len(t, d.lines(), 3)
	for i, l := range d.lines() {
		var got struct {
			File, Caption, Error string
			Alternatives         []string
			Score                float64
			Tags                 []struct {
				Name          string
				Score, Weight float64
				Box           []float64
			}
			Support []struct {
				Text   string
				Weight float64
			}
		}
		dec := json.NewDecoder(strings.NewReader(l))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&got), l)
		if i == 1 {
			require.Equal(t, broken, got.File)
			require.Contains(t, got.Error, "broken.png: PNG picture")
			require.Empty(t, got.Caption)
			continue
		}
		require.Empty(t, got.Error)
		require.NotEmpty(t, got.Caption)
		require.Len(t, got.Alternatives, 4)
		require.Len(t, got.Support, 5)
		require.NotEmpty(t, got.Tags)
		require.Len(t, got.Tags[0].Box, 4)
		require.Negative(t, got.Score)
	}
}

func TestExplain(t *testing.T) {
	out := good(t, "caption", "--quiet", "--explain", "--beams", "2", "sample:stop-sign")
	require.Contains(t, out, "nearest texts (weight in the projection)")
	require.Contains(t, out, "a stop sign by two purple cars")
	require.Contains(t, out, "objects (score, share of attention, box)\n    stop sign")
	require.Contains(t, out, "beam 2: a ")
	require.Contains(t, good(t, "caption", "--quiet", "--explain", "--threshold", "1", "sample:stop-sign"), "  no objects\n")
	require.NotContains(t, good(t, "caption", "--quiet", "--explain", "--no-projection", "sample:stop-sign"), "nearest texts")
}

// One picture goes into the named file, several into a folder under their own
// names; nothing may be drawn over another picture or over the source.
func TestAnnotate(t *testing.T) {
	dir := t.TempDir()
	for _, ending := range []string{".png", ".jpg"} {
		path := filepath.Join(dir, "one"+ending)
		good(t, "caption", "--quiet", "--annotate", path, "sample:stop-sign")
		isPicture(t, path, 64, 64)
	}
	folder := filepath.Join(dir, "all", "deep")
	good(t, append([]string{"caption", "--quiet", "--annotate", folder}, world.Samples()...)...)
	require.Len(t, names(t, folder), len(world.Samples()))
	for _, n := range names(t, folder) {
		isPicture(t, filepath.Join(folder, n), 64, 64)
	}
	d := commandWith(t, t.Context(), &app{in: strings.NewReader(string(sampleFile(t, "kite")))}, "caption", "--quiet", "--annotate", filepath.Join(dir, "in"), "-")
	require.Equal(t, 0, d.code, d.err)
	require.Equal(t, []string{"stdin.png"}, names(t, filepath.Join(dir, "in")))

	photo := put(t, dir, "x/photo.png", sampleFile(t, "kite"))
	other := put(t, dir, "y/photo.jpg", sampleFile(t, "sheep"))
	for want, args := range map[string][]string{
		"2 pictures need a folder":       {filepath.Join(dir, "two.png"), photo, other},
		"would be drawn into":            {filepath.Join(dir, "z"), photo, other},
		"would overwrite the picture":    {photo, photo},
		"overwrite the picture " + photo: {filepath.Dir(photo), photo},
	} {
		for _, name := range []string{"caption", "detect"} {
			d := command(t, append([]string{name, "--annotate"}, args...)...)
			require.Equal(t, 2, d.code, "%v", args)
			require.Contains(t, d.err, want)
		}
	}
	data, err := os.ReadFile(photo)
	require.NoError(t, err)
	require.Equal(t, sampleFile(t, "kite"), data)
	d = command(t, "caption", "--quiet", "--annotate", filepath.Join(photo, "under-a-file"), "sample:kite")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "photo.png")
}

// Another domain's texts change what is said, with no other change.
func TestMemoryOfAnotherDomain(t *testing.T) {
	dir := t.TempDir()
	texts := put(t, dir, "texts.txt", []byte("a photo of a zebra in a forest\n\na zebra and a giraffe at night\r\na large green sofa\n"))
	memory := filepath.Join(dir, "m.safetensors")
	good(t, "memory", "build", "--quiet", texts, "-o", memory)
	out := good(t, "caption", "--quiet", "--explain", "--memory", memory, "sample:stop-sign")
	require.Contains(t, out, "a large green sofa")
	require.NotContains(t, out, stopSign)
	require.Contains(t, good(t, "memory", "info", memory), "3 texts, features of 128 F16 values, the first: a photo of a zebra in a forest")
	require.Contains(t, good(t, "memory", "info", memory, "--like", "a large green sofa", "-n", "2"), "  a large green sofa\n  0.")
	var info struct{ Texts, Dim int }
	require.NoError(t, json.Unmarshal([]byte(good(t, "--json", "memory", "info", memory)), &info))
	require.Equal(t, [2]int{3, 128}, [2]int{info.Texts, info.Dim})
	for want, args := range map[string][]string{
		"isn't one of its texts": {"memory", "info", memory, "--like", "a dog"},
		"none.safetensors":       {"caption", "--memory", filepath.Join(dir, "none.safetensors"), sheep},
		"texts.txt":              {"caption", "--memory", texts, sheep},
		"no text in this file":   {"memory", "build", put(t, dir, "empty.txt", nil), "-o", memory},
		"none.txt":               {"memory", "build", filepath.Join(dir, "none.txt"), "-o", memory},
	} {
		d := command(t, append(args, "--quiet")...)
		require.Equal(t, 1, d.code, "%v", args)
		require.Contains(t, d.err, want)
	}
}

func TestSamplingIsRepeatable(t *testing.T) {
	args := []string{"--temperature", "1.5", "--top-p", "0.95", "--seed"}
	texts := map[string]bool{}
	for _, seed := range []string{"1", "2", "3", "4"} {
		one := captionOf(t, sheep, append(args, seed)...)
		require.NotContains(t, one, "\n")
		require.Equal(t, one, captionOf(t, sheep, append(args, seed)...))
		d := command(t, append([]string{"caption", "--quiet", "sample:kite", sheep, "--threads", "1"}, append(args, seed)...)...)
		require.Equal(t, sheep+": "+one, d.lines()[1], "the place among others must not matter")
		texts[one] = true
	}
	require.Greater(t, len(texts), 1)
}

// A mistake in the command line is said and ends with 2, before anything is
// loaded or written.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"caption":                                       "caption what?",
		"caption --nonsense x.png":                      "unknown flag: --nonsense",
		"caption --batch 0 x.png":                       "--batch 0",
		"caption --batch many x.png":                    `invalid argument "many"`,
		"caption --beams 65 x.png":                      "--beams 65",
		"caption --tau -1 x.png":                        "can't be negative",
		"caption --tau NaN x.png":                       "can't be negative",
		"caption --temperature -0.5 x.png":              "can't be negative",
		"caption --threshold 1.5 x.png":                 "must lie between 0 and 1",
		"caption --top-p NaN x.png":                     "must lie between 0 and 1",
		"caption --max-tokens -1 x.png":                 "can't be negative",
		"caption --weights int4 x.png":                  "--weights int4: must be auto, f32, f16 or bf16",
		"caption --threads -2 x.png":                    "--threads -2",
		"caption --isa mmx x.png":                       "mmx",
		"caption --device tpu x.png":                    "--device tpu",
		"caption http://127.0.0.1:1/x.png":              "URLs are not fetched unless --fetch is given",
		"detect":                                        "detect in what?",
		"detect --threshold 2 x.png":                    "--threshold must lie between 0 and 1",
		"embed":                                         "embed what?",
		"embed --text ":                                 "--text is empty",
		"embed --similarity --text x":                   "--similarity needs pictures and texts",
		"embed --text x -o f.csv":                       "ending must be .safetensors or .npy",
		"memory build":                                  "needs a text file",
		"memory build x.txt":                            "needs --output FILE",
		"memory build x.txt -o m.safetensors --dtype i": "--dtype i",
		"memory info":                                   "needs a memory file",
		"memory info m -n 0":                            "--number 0",
		"verify":                                        "needs a folder",
		"verify --only [ x":                             "--only",
		"inspect":                                       "needs a checkpoint",
		"captoin x.png":                                 `no command "captoin"; did you mean caption?`,
		"xyzzy":                                         `no command "xyzzy"`,
		"version now":                                   `"now"`,
	} {
		d := command(t, strings.Split(line, " ")...)
		require.Equal(t, 2, d.code, "%s: %s", line, d.err)
		require.Contains(t, d.err, want, line)
		require.Contains(t, d.err, "See `syntic help`.")
		require.Empty(t, d.out, line)
	}
	t.Setenv("SYNTIC_THREADS", "two")
	require.Equal(t, 2, command(t, "caption", sheep).code)
	t.Setenv("SYNTIC_THREADS", "")
	t.Setenv("SYNTIC_ISA", "neon9")
	d := command(t, "caption", sheep)
	require.Equal(t, 2, d.code)
	require.Contains(t, d.err, "neon9")
}

// More tokens than the model has positions for is refused with the bound.
func TestMaxTokens(t *testing.T) {
	require.Equal(t, "a", captionOf(t, "sample:stop-sign", "--max-tokens", "2"))
	for _, n := range []string{"40", "9223372036854775807"} {
		d := command(t, "caption", "--quiet", "--max-tokens", n, sheep)
		require.Equal(t, 1, d.code)
		require.Contains(t, d.err, "40 positions, so 1 to 39 are possible")
	}
	require.Equal(t, stopSign, captionOf(t, "sample:stop-sign", "--max-tokens", "39"))
}
