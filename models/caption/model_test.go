package caption

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/vision"
	"syntic/tensor/cpu"
)

// sizes are pictures of very different shapes, one pixel and 4000 among them.
func sizes(t *testing.T) []*vision.Picture {
	p := sample(t, "giraffe-zebra")
	list := []*vision.Picture{p, vision.NewPicture(1, 1)}
	for _, s := range [][2]int{{128, 96}, {4000, 30}, {30, 4000}, {65, 64}, {300, 200}} {
		list = append(list, p.Resize(s[0], s[1], vision.Bilinear, nil))
	}
	return append(list, sample(t, "stop-sign"))
}

// Pictures of mixed sizes give together what each gives alone, to the bit, in
// every way of writing.
func TestMixedSizesEqualAlone(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	pictures := sizes(t)
	for _, o := range []Options{{Explain: 3}, {Beams: 3}, {Temperature: 0.8, Seed: 3}, {TopK: 4, NoTags: true}} {
		all, err := m.Caption(bg, pictures, o)
		require.NoError(t, err)
		for i, p := range pictures {
			require.Equal(t, caption1(t, m, p, o), all[i], "picture %d, %+v", i, o)
		}
	}
	objects, err := m.Detector.Detect(bg, pictures, 0.3, nil)
	require.NoError(t, err)
	for i, p := range pictures {
		alone, err := m.Detector.Detect(bg, []*vision.Picture{p}, 0.3, nil)
		require.NoError(t, err)
		require.Equal(t, alone[0], objects[i])
	}
}

// No object, all queries objects, and more than may be tags.
func TestNumbersOfObjects(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	p := sample(t, "giraffe-zebra")
	none := caption1(t, m, p, Options{Threshold: 1, Explain: 3})
	require.Empty(t, none.Tags)
	require.NotEmpty(t, none.Caption)
	m.Settings.Threshold, m.Settings.MaxTags = 0, 1024
	all := caption1(t, m, p, Options{Explain: 3})
	require.Len(t, all.Tags, m.Detector.DETR.Config().Queries)
	require.NotEmpty(t, all.Caption)
	sum := 0.0
	for i, tag := range all.Tags {
		require.True(t, i == 0 || tag.Score <= all.Tags[i-1].Score, "best first")
		sum += tag.Weight
	}
	require.InDelta(t, 1, sum, 1e-9)
	m.Settings.MaxTags = 2
	two := caption1(t, m, p, Options{})
	require.Len(t, two.Tags, 2)
	require.Equal(t, []string{all.Tags[0].Name, all.Tags[1].Name}, []string{two.Tags[0].Name, two.Tags[1].Name})
}

// copyBundle copies the scale model's folder, so that a test may change it.
func copyBundle(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(bundle)))
	return dir
}

// A detector all of whose ids mean nothing finds nothing: the caption is that of
// a picture without objects.
func TestIdsWithoutNamesAreNoObjects(t *testing.T) {
	want := caption1(t, openModel(t, bundle, cpu.Options{}), sample(t, "stop-sign"), Options{Threshold: 1})
	dir := copyBundle(t)
	changeJSON(t, filepath.Join(dir, "detr", "config.json"), func(c map[string]any) {
		for id := range c["id2label"].(map[string]any) {
			c["id2label"].(map[string]any)[id] = "N/A"
		}
	})
	m := openModel(t, dir, cpu.Options{})
	m.Settings.Threshold = 0
	got := caption1(t, m, sample(t, "stop-sign"), Options{})
	require.Empty(t, got.Tags)
	require.Equal(t, want.Caption, got.Caption)
}

func TestAblations(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	p := sample(t, "stop-sign")
	full := caption1(t, m, p, Options{Explain: 2})
	require.Equal(t, "a stop sign standing next to a purple truck on the street", full.Caption)
	require.NotEmpty(t, full.Tags)
	untagged := caption1(t, m, p, Options{NoTags: true, Explain: 2})
	require.Empty(t, untagged.Tags)
	require.Equal(t, full.Projected, untagged.Projected)
	raw := caption1(t, m, p, Options{NoProjection: true, Explain: 2})
	require.Empty(t, raw.Support)
	require.Equal(t, raw.Feature, raw.Projected)
	require.Equal(t, full.Feature, raw.Feature)
	// Without a detector the captioner still writes, as with no object found.
	dir := copyBundle(t)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "detr")))
	alone := openModel(t, dir, cpu.Options{})
	require.Nil(t, alone.Detector)
	require.Equal(t, untagged.Caption, caption1(t, alone, p, Options{Explain: 2}).Caption)
	// And without a memory, as without the projection.
	require.NoError(t, os.Remove(filepath.Join(dir, "captioner", "support_A.safetensors")))
	bare := openModel(t, dir, cpu.Options{})
	require.Equal(t, caption1(t, m, p, Options{NoProjection: true, NoTags: true}).Caption, caption1(t, bare, p, Options{}).Caption)
}

func TestCancelledCaptionIsNoCaption(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err := m.Caption(ctx, []*vision.Picture{sample(t, "kite")}, Options{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, caption1(t, m, sample(t, "kite"), Options{}).Caption)
}

func TestPlanNamesEveryStage(t *testing.T) {
	m := openModel(t, bundle, cpu.Options{})
	stages, err := m.Plan(4, 640, 480, Options{Beams: 3})
	require.NoError(t, err)
	require.Len(t, stages, 4)
	for _, s := range stages {
		require.Positive(t, s.Arena, s.Name)
	}
	require.Positive(t, stages[3].States)
	for _, c := range [][3]int{{0, 1, 1}, {maxBatch + 1, 1, 1}, {1, 0, 1}, {1, 1, -1}} {
		_, err := m.Plan(c[0], c[1], c[2], Options{})
		require.ErrorContains(t, err, "can't be planned")
	}
}

func TestSettingsMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"tau": -0.1}`: "temperature -0.1", `{"tag_threshold": 1.5}`: "tag threshold 1.5", `{"max_tags": 0}`: "max_tags 0",
		`{"beam": 65}`: "beam 65", `{"max_tokens": 9000000000}`: "max_tokens 9000000000", `{"aux_query": "both"}`: `aux_query "both"`,
		`{"aux_heads": -1}`: "aux_heads -1", `{"tau": "hot"}`: "tau", `{"tau"`: "unexpected end",
	} {
		_, err := ParseSettings([]byte(text))
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "syntic.json")
	}
	s, err := ParseSettings(nil)
	require.NoError(t, err)
	require.Equal(t, 0.01, s.Tau)
}
