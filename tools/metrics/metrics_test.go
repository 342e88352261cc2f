package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tools/metrics/meteor"
	"syntic/tools/metrics/read"
	"syntic/tools/metrics/spice"
	"syntic/tools/metrics/stats"
)

// shared returns a file of the shared reference material or skips loudly.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("NOT CHECKED: %v (set SYNTIC_SHARED)", err)
	}
	return path
}

// meteorData opens METEOR's data where SYNTIC_METEOR_DATA names its folder;
// else METEOR is left out of a test, loudly.
var meteorData = sync.OnceValue(func() *meteor.Data {
	dir := os.Getenv("SYNTIC_METEOR_DATA")
	if dir == "" {
		return nil
	}
	d, err := meteor.Open(filepath.Join(dir, "meteor-1.5.jar"), filepath.Join(dir, "paraphrase-en.gz"))
	if err != nil {
		panic(err)
	}
	return d
})

func options(t *testing.T) Options {
	t.Helper()
	o := Options{Meteor: meteorData()}
	if o.Meteor == nil {
		t.Log("NOT CHECKED: METEOR; set SYNTIC_METEOR_DATA to a folder with meteor-1.5.jar and paraphrase-en.gz")
		o.Metrics = []string{BLEU, ROUGEL, CIDEr}
	}
	return o
}

func evaluateFile(t *testing.T, path string, o Options) *Result {
	t.Helper()
	refs, err := read.References(path, read.Options{})
	require.NoError(t, err)
	hyps, err := read.Predictions(path, read.Options{})
	require.NoError(t, err)
	r, err := Evaluate(context.Background(), refs, hyps, o)
	require.NoError(t, err)
	return r
}

// evaluated keeps the results of the gold files for the tests that share them.
var evaluated = map[string]*Result{}

func gold(t *testing.T, file string) (*Result, Options) {
	t.Helper()
	o := options(t)
	path := shared(t, "data", "gold", file+".json")
	if evaluated[file] == nil {
		evaluated[file] = evaluateFile(t, path, o)
	}
	return evaluated[file], o
}

// sets are the gold rows' files.
var sets = map[string]string{
	"flickr30k_magic": "flickr30k_magic_result", "mscoco_magic": "mscoco_magic_result", "mscoco_clipre": "mscoco_clipretrieval",
	"m2f_magic": "m2f_magic", "m2f_clipre": "m2f_clipre", "flickr30k_zerocap": "flickr30k_zerocap",
}

// TestGold wants the official toolkit's scores: the overlap metrics to 1e-9,
// METEOR to 1e-12.
func TestGold(t *testing.T) {
	raw, err := os.ReadFile(shared(t, "data", "gold", "pycocoevalcap_scores.json"))
	require.NoError(t, err)
	var rows map[string]struct {
		N      int
		Scores map[string]float64
	}
	require.NoError(t, json.Unmarshal(raw, &rows))
	require.Len(t, rows, len(sets))
	for name, want := range rows {
		r, o := gold(t, sets[name])
		require.Len(t, r.Pictures, want.N)
		for metric, v := range want.Scores {
			got, ok := r.Value(metric)
			if metric == METEOR && o.Meteor == nil {
				continue
			}
			require.True(t, ok, metric)
			tolerance := 1e-9
			if metric == METEOR {
				tolerance = 1e-12
			}
			require.InDelta(t, v, got, tolerance, "%s %s", name, metric)
		}
	}
}

// TestPaperRows wants the printed digits of the ten rows of MAGIC's Tables 1-2
// (and of the paper this project follows): B@4, METEOR, ROUGE-L, CIDEr.
func TestPaperRows(t *testing.T) {
	for file, row := range map[string]string{
		"mscoco_magic_result": "12.9 17.4 39.9 49.3", "mscoco_clipretrieval": "4.9 11.4 29.0 13.6", "mscoco_zerocap_result": "7.0 15.4 31.8 34.5",
		"flickr30k_magic_result": "6.4 13.1 31.6 20.4", "flickr30k_clipre": "5.2 11.6 27.6 10.0", "flickr30k_zerocap": "5.4 11.8 27.3 16.8",
		"m2f_magic": "6.2 12.2 31.3 17.5", "m2f_clipre": "4.4 9.6 27.2 5.9", "f2m_magic": "5.2 12.5 30.7 18.3", "f2m_clipre": "3.0 9.9 22.8 8.5",
	} {
		r, o := gold(t, file)
		for k, metric := range []string{"Bleu_4", METEOR, ROUGEL, CIDEr} {
			if metric == METEOR && o.Meteor == nil {
				continue
			}
			v, ok := r.Value(metric)
			require.True(t, ok)
			require.Equal(t, strings.Fields(row)[k], strings.TrimSpace(formatTenth(100*v)), "%s %s", file, metric)
		}
	}
}

func formatTenth(v float64) string {
	b, _ := json.Marshal(math.Round(10*v) / 10)
	s := string(b)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// TestGoldPictures wants the official value and tokens of each of the first
// 1000 pictures of two sets.
func TestGoldPictures(t *testing.T) {
	for file, source := range map[string]string{
		"flickr30k_magic_first1000.json": "flickr30k_magic_result", "mscoco_magic_first1000.json": "mscoco_magic_result",
	} {
		raw, err := os.ReadFile(shared(t, "data", "gold", file))
		require.NoError(t, err)
		var want struct {
			Refs     [][]string           `json:"tokenized_refs"`
			Hyps     []string             `json:"tokenized_hyp"`
			Pictures map[string][]float64 `json:"per_image"`
		}
		require.NoError(t, json.Unmarshal(raw, &want))
		r, _ := gold(t, source)
		for i := range want.Hyps {
			p := r.Pictures[i]
			require.Equal(t, want.Hyps[i], p.Tokens)
			require.Equal(t, want.Refs[i], p.References)
			for k, s := range r.Scores {
				require.InDelta(t, want.Pictures[s.Metric][i], p.Values[k], 1e-9, "%s picture %d %s", file, i, s.Metric)
			}
		}
	}
}

// TestOfficialFaults wants the official toolkit's numbers on hard sets: empty
// and long predictions, one picture, one to six references, empty references.
func TestOfficialFaults(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "official_faults.json"))
	require.NoError(t, err)
	var cases []struct {
		Name     string
		Items    json.RawMessage
		Scores   map[string]float64
		Pictures map[string][]float64
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.Len(t, cases, 9)
	o := options(t)
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "set.json")
		require.NoError(t, os.WriteFile(path, c.Items, 0o600))
		r := evaluateFile(t, path, o)
		for k, s := range r.Scores {
			require.InDelta(t, c.Scores[s.Metric], s.Value, 1e-12, "%s: %s", c.Name, s.Metric)
			for i, v := range c.Pictures[s.Metric] {
				require.InDelta(t, v, r.Pictures[i].Values[k], 1e-12, "%s: %s of picture %d", c.Name, s.Metric, i)
			}
		}
	}
}

func set(name string, pairs ...string) *read.Set {
	s := read.NewSet(name)
	for i := 0; i < len(pairs); i += 2 {
		s.Add(pairs[i], pairs[i+1], i/2+1)
	}
	return s
}

func TestMatchFaults(t *testing.T) {
	ctx := context.Background()
	refs := set("refs", "1", "a dog", "1", "the dog", "2", "a cat", "3", "a bird")
	_, err := Evaluate(ctx, refs, set("hyps", "1", "a dog"), Options{})
	require.ErrorContains(t, err, "hyps lacks predictions for 2 of 3 pictures: 2, 3; add them, or evaluate the subset")
	r, err := Evaluate(ctx, refs, set("hyps", "1", "a dog", "3", ""), Options{Subset: true})
	require.NoError(t, err)
	require.Len(t, r.Pictures, 2)
	require.Len(t, r.Warnings, 2)
	_, err = Evaluate(ctx, refs, set("hyps", "1", "a", "2", "b", "3", "c", "4", "d"), Options{})
	require.ErrorContains(t, err, "hyps has predictions for 1 pictures that refs does not know: 4")
	_, err = Evaluate(ctx, refs, set("hyps", "1", "a", "1", "b"), Options{Subset: true})
	require.ErrorContains(t, err, `picture "1" has 2 predictions in hyps`)
	_, err = Evaluate(ctx, refs, set("hyps"), Options{Subset: true})
	require.ErrorContains(t, err, "no picture of refs has a prediction")
	ok := set("hyps", "1", "a", "2", "b", "3", "c")
	_, err = Evaluate(ctx, refs, ok, Options{Metrics: []string{"BLUE"}})
	require.ErrorContains(t, err, `unknown metric "BLUE"; known: Bleu`)
	_, err = Evaluate(ctx, refs, ok, Options{Metrics: []string{SPICE}})
	require.ErrorContains(t, err, "give the path of spice-1.0.jar")
	_, err = Evaluate(ctx, refs, ok, Options{Spice: &spice.Program{Jar: "none.jar"}})
	require.ErrorContains(t, err, "none.jar")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Evaluate(cancelled, refs, ok, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// TestOddTexts wants an answer for what people feed a tool: long, broken,
// right-to-left and stop-word-only texts.
func TestOddTexts(t *testing.T) {
	long := strings.Repeat("a dog ", 200_000)
	r, err := Evaluate(context.Background(),
		set("r", "1", long, "2", "of the and", "3", "\u0643\u0644\u0628 \U0001f415", "4", "caf\xff\x00 dog"),
		set("h", "1", long, "2", "of the", "3", "\u0643\u0644\u0628", "4", "caf dog"), Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"2 captions are longer than 2048 bytes and were cut there"}, r.Warnings)
	for _, p := range r.Pictures {
		require.Positive(t, p.Values[0], "%s %q %v", p.ID, p.Tokens, p.Values)
	}
}

// TestLite wants METEOR without its data marked as not comparable.
func TestLite(t *testing.T) {
	r, err := Evaluate(context.Background(), set("r", "1", "a dog runs", "2", "cats"), set("h", "1", "a dog running", "2", "cat"), Options{Metrics: []string{METEOR, "CIDEr-D", CIDErPlain}})
	require.NoError(t, err)
	require.Equal(t, METEOR, r.Scores[2].Metric)
	require.False(t, r.Scores[2].Comparable)
	require.Contains(t, r.Scores[2].Note, "only the stages exact, stem ran")
	var b bytes.Buffer
	require.NoError(t, r.WriteTable(&b))
	require.Contains(t, b.String(), "METEOR*")
	require.Contains(t, b.String(), "not comparable")
}

// TestSpice runs the plumbing with a stand-in for Java.
func TestSpice(t *testing.T) {
	dir := t.TempDir()
	jar, java := filepath.Join(dir, "spice-1.0.jar"), filepath.Join(dir, "java")
	require.NoError(t, os.WriteFile(jar, nil, 0o600))
	script := "#!/bin/sh\nfor a; do [ \"$p\" = -out ] && out=$a; p=$a; done\necho '[{\"image_id\":\"1\",\"scores\":{\"All\":{\"f\":0.5}}},{\"image_id\":\"2\",\"scores\":{\"All\":{\"f\":null}}}]' > \"$out\"\n"
	require.NoError(t, os.WriteFile(java, []byte(script), 0o700))
	r, err := Evaluate(context.Background(), set("r", "1", "a dog", "2", "cats"), set("h", "1", "dog", "2", ""), Options{Metrics: []string{SPICE}, Spice: &spice.Program{Jar: jar, Java: java}, Intervals: true})
	require.NoError(t, err)
	require.Equal(t, 0.5, r.Scores[0].Value)
	require.False(t, r.Scores[0].Comparable)
	require.Len(t, r.Warnings, 2)
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b, true))
	require.Contains(t, b.String(), "null")
}

// TestDeterminism wants the same bits from one worker and three, and progress
// that reaches the end.
func TestDeterminism(t *testing.T) {
	path := shared(t, "data", "gold", "flickr30k_magic_result.json")
	var first []byte
	for _, workers := range []int{1, 3} {
		last := map[string]int{}
		r := evaluateFile(t, path, Options{Workers: workers, Intervals: true, Bootstrap: stats.Options{Resamples: 50, Seed: 7},
			Progress: func(stage string, done, total int) {
				require.LessOrEqual(t, done, total)
				last[stage] = total - done
			}})
		require.Equal(t, map[string]int{"tokenise": 0, "overlap": 0, METEOR: 0}, last)
		var b bytes.Buffer
		require.NoError(t, r.WriteJSON(&b, true))
		if first == nil {
			first = b.Bytes()
		}
		require.Equal(t, first, b.Bytes())
		for _, s := range r.Scores {
			require.Less(t, s.Range.Low, s.Value)
			require.Greater(t, s.Range.High, s.Value)
		}
	}
}

func TestCompareAndWrite(t *testing.T) {
	ctx := context.Background()
	o := Options{Metrics: []string{BLEU, CIDEr}, Intervals: true}
	a := evaluateFile(t, shared(t, "data", "gold", "flickr30k_magic_result.json"), o)
	b := evaluateFile(t, shared(t, "data", "gold", "flickr30k_clipre.json"), o)
	d, err := Compare(a, b, stats.Options{Seed: 1, Resamples: 200})
	require.NoError(t, err)
	require.Equal(t, "CIDEr", d[4].Name)
	require.Less(t, d[4].High, 0.0, "CLIPRe's CIDEr is far below MAGIC's")
	require.InDelta(t, 1.0/201, d[4].P, 1e-12)
	var buf bytes.Buffer
	require.NoError(t, WriteDifferences(&buf, "MAGIC", "a very long name", d))
	require.Contains(t, buf.String(), "a very lo…")
	buf.Reset()
	require.NoError(t, a.WritePictures(&buf))
	require.Equal(t, 1001, strings.Count(buf.String(), "\n"))
	dir := t.TempDir()
	require.NoError(t, PlotComparison(filepath.Join(dir, "c.svg"), "t", []string{"A", "B"}, []*Result{a, b}))
	require.NoError(t, PlotLearning(filepath.Join(dir, "l.png"), "t", "epoch", []float64{1, 2}, []*Result{a, b}))
	require.NoError(t, WriteFile(filepath.Join(dir, "t.txt"), a.WriteTable))
	require.FileExists(t, filepath.Join(dir, "t.txt"))
	one, err := Evaluate(ctx, set("r", "1", "a dog"), set("h", "1", "dog"), o)
	require.NoError(t, err)
	require.Zero(t, one.Scores[4].Value, "one picture has no idf")
	_, err = Compare(a, one, stats.Options{})
	require.ErrorContains(t, err, "1000 and 1 pictures")
}

// TestFlickr8kExpert wants the correlations with human judgement near the
// published ones (which tokenise and pick references a little otherwise).
func TestFlickr8kExpert(t *testing.T) {
	refs, err := read.References(shared(t, "data", "captions", "Flickr8k.token.txt"), read.Options{SkipBad: true})
	require.NoError(t, err)
	ratings, err := ReadExpert(shared(t, "data", "gold", "ExpertAnnotations.txt"))
	require.NoError(t, err)
	require.Len(t, ratings, 5822)
	c, err := Correlate(context.Background(), refs, ratings, options(t))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, WriteCorrelations(&b, c))
	t.Log("\n" + b.String())
	for _, x := range c {
		if x.Published != 0 {
			require.InDelta(t, x.Published, 100*x.C, 1, x.Metric)
		}
	}
}

func TestReadExpertFaults(t *testing.T) {
	_, err := readExpert(strings.NewReader("a\tb#0\t1\n\nx\n"), "f")
	require.ErrorContains(t, err, "f:3: want picture")
	_, err = readExpert(strings.NewReader("a\tb#0\tNaN\n"), "f")
	require.ErrorContains(t, err, `f:1: grade "NaN"`)
	refs := set("tok", "a", "x", "b", "y")
	for caption, want := range map[string]string{"b#1": `no caption "b#1"`, "b": "no caption", "c#0": "no caption", "a#0": "no ratings"} {
		_, err = Correlate(context.Background(), refs, []Rating{{"a", caption, []float64{1}}}, Options{})
		require.ErrorContains(t, err, want)
	}
	_, err = Correlate(context.Background(), refs, []Rating{{"z", "b#0", []float64{1}}}, Options{})
	require.ErrorContains(t, err, `rated picture "z"`)
}

func ExampleEvaluate() {
	refs, hyps := read.NewSet("references"), read.NewSet("predictions")
	refs.Add("1.jpg", "A dog runs on the grass.", 1)
	refs.Add("1.jpg", "The dog is running.", 2)
	refs.Add("2.jpg", "Two cats sleep.", 3)
	hyps.Add("1.jpg", "a dog is running on grass", 1)
	hyps.Add("2.jpg", "two sleeping cats", 2)
	r, err := Evaluate(context.Background(), refs, hyps, Options{Metrics: []string{BLEU, ROUGEL}})
	if err != nil {
		panic(err)
	}
	_ = r.WriteTable(os.Stdout)
	// Output:
	// Bleu_1          88.89
	// Bleu_2          61.72
	// Bleu_3          42.39
	// Bleu_4           0.01
	// ROUGE_L         69.01
}
