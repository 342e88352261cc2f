package synth

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/models/caption"
	"syntic/models/sd"
	"syntic/tensor"
	"syntic/tensor/cpu"
	"syntic/tools/world"
	"syntic/weights"
)

var captions = []string{
	"a dog", "a red car on the street", "two zebras", "a dog", "a pizza on a table", "birds in the sky", "a dog",
	"ein Hund „groß“ <b>&amp;", "a train at night", "a blue umbrella",
}

// maker loads the scale model.
func maker(t testing.TB, features bool) *Maker {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 2})
	require.NoError(t, err)
	m := &Maker{Batch: 3}
	m.Pipeline, err = sd.Load(d, world.Model())
	require.NoError(t, err)
	m.Settings, err = m.Pipeline.Complete(sd.Settings{Steps: 2, Guidance: 5})
	require.NoError(t, err)
	if features {
		m.Encoder, err = caption.LoadEncoder(d, world.Model())
		require.NoError(t, err)
		m.Detector, err = caption.LoadDetector(d, world.Model())
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		require.NoError(t, m.Pipeline.Close())
		if features {
			require.NoError(t, errors.Join(m.Encoder.Close(), m.Detector.Close()))
		}
		require.NoError(t, d.Close())
	})
	return m
}

func recipe(m *Maker, keep ...string) Recipe {
	s := m.Settings
	return Recipe{Keep: keep, Model: "m", Width: s.Width, Height: s.Height, Steps: s.Steps, Guidance: s.Guidance, Scheduler: s.Scheduler, RNG: "syntic", Threshold: 0.5}
}

// run fills a store.
func run(t testing.TB, m *Maker, dir string, r Recipe, shard Shard, texts []string) error {
	t.Helper()
	s, err := Open(dir, r, shard)
	if err != nil {
		return err
	}
	err = m.Run(t.Context(), s, s.Items(caption.NewCorpus(texts)))
	require.NoError(t, s.Close())
	return err
}

// tree reads every file below a folder.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		if e.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		files[name] = string(data)
		return nil
	}))
	return files
}

var whole = Shard{1, 1}

// TestStoreHoldsWhatTheModelsSay reads a store back.
func TestStoreHoldsWhatTheModelsSay(t *testing.T) {
	m, dir := maker(t, true), filepath.Join(t.TempDir(), "store")
	r := recipe(m, Parts()...)
	var reports []string
	m.Report = func(it Item, there bool, err error) {
		require.NoError(t, err)
		require.False(t, there)
		reports = append(reports, it.Caption)
	}
	require.NoError(t, run(t, m, dir, r, whole, captions))
	require.Equal(t, captions, reports)
	files := tree(t, dir)
	require.Len(t, files, 2+3*len(captions))
	var items []Item
	for line := range strings.Lines(files["index-1-of-1.jsonl"]) {
		var it Item
		require.NoError(t, json.Unmarshal([]byte(line), &it))
		items = append(items, it)
	}
	require.Len(t, items, len(captions))
	require.Equal(t, []uint64{0, 1, 2}, []uint64{items[0].Seed, items[3].Seed, items[6].Seed}, "a caption that repeats")
	for _, it := range items {
		pictures, err := m.Pipeline.Draw(t.Context(), []sd.Prompt{{Text: it.Caption, Seed: it.Seed}}, m.Settings, nil)
		require.NoError(t, err)
		base := filepath.Join("objects", it.Key[:2], it.Key)
		var png strings.Builder
		require.NoError(t, pictures[0].Encode(&png, ".png", about(it)))
		require.Equal(t, png.String(), files[base+".png"])
		src, err := weights.FromBytes(it.Key, []byte(files[base+".features"]))
		require.NoError(t, err)
		require.Equal(t, it.Caption, weights.Metadata(src)["caption"])
		require.NotEmpty(t, weights.Metadata(src)["tags"])
		info, err := src.Get("feature")
		require.NoError(t, err)
		got, err := tensor.FromInfo(info).Float32s()
		require.NoError(t, err)
		want, err := m.Encoder.Pictures(t.Context(), pictures, nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestShardsMakeTheSameStore: in any order, batch and number.
func TestShardsMakeTheSameStore(t *testing.T) {
	m, dir := maker(t, false), t.TempDir()
	r := recipe(m, Pictures, Latents)
	one, three := filepath.Join(dir, "one"), filepath.Join(dir, "three")
	require.NoError(t, run(t, m, one, r, whole, captions))
	m.Batch = 2
	for _, i := range []int{3, 1, 2} {
		require.NoError(t, run(t, m, three, r, Shard{i, 3}, captions))
	}
	a, b := tree(t, one), tree(t, three)
	for name, data := range a {
		if strings.HasPrefix(name, "objects") {
			require.Equal(t, data, b[name], name)
		}
	}
	require.Len(t, b, len(a)+2) // three indexes for one
}

// TestFeaturesOfKeptPictures: what was drawn isn't drawn again for them.
func TestFeaturesOfKeptPictures(t *testing.T) {
	m, dir := maker(t, true), filepath.Join(t.TempDir(), "store")
	r := recipe(m, Pictures, Features)
	require.NoError(t, run(t, m, dir, r, whole, captions))
	want := tree(t, dir)
	for name := range want {
		if strings.HasSuffix(name, ".features") {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	m.Pipeline = nil // drawing would crash
	require.NoError(t, run(t, m, dir, r, whole, captions))
	require.Equal(t, want, tree(t, dir))
	m.Pipeline = maker(t, false).Pipeline
}

// TestBadItemsAreTriedAgain: a picture that isn't finite is reported, the others
// are made, and the store isn't finished.
func TestBadItemsAreTriedAgain(t *testing.T) {
	m, dir := maker(t, false), filepath.Join(t.TempDir(), "store")
	nan := weights.Info{Shape: []int{3}, Data: []byte{0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f}}
	require.NoError(t, m.Pipeline.VAE.Decoder.ConvOut.Bias.Load(nan))
	failed := 0
	m.Report = func(_ Item, _ bool, err error) {
		if err != nil {
			failed++
		}
	}
	r := recipe(m, Pictures)
	require.ErrorIs(t, run(t, m, dir, r, whole, captions[:4]), ErrSome)
	require.Equal(t, 4, failed)
	require.NotContains(t, tree(t, dir), "index-1-of-1.jsonl")
	m = maker(t, false)
	require.NoError(t, run(t, m, dir, r, whole, captions[:4]))
	require.Contains(t, tree(t, dir), "index-1-of-1.jsonl")
}

func TestOpenErrors(t *testing.T) {
	m, dir := maker(t, false), t.TempDir()
	r := recipe(m, Latents)
	full := filepath.Join(dir, "full")
	require.NoError(t, os.MkdirAll(full, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o644))
	_, err := Open(full, r, whole)
	require.ErrorContains(t, err, "letter.txt")
	store := filepath.Join(dir, "store")
	s, err := Open(store, r, whole)
	require.NoError(t, err)
	_, err = Open(store, r, whole)
	require.ErrorContains(t, err, "another process")
	other, err := Open(store, r, Shard{2, 2}) // another shard isn't held up
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.NoError(t, s.Close())
	r.Steps = 50
	_, err = Open(store, r, whole)
	require.ErrorContains(t, err, "steps 2, not 50")
	require.NoError(t, os.WriteFile(filepath.Join(store, "store.json"), []byte("{"), 0o644))
	_, err = Open(store, r, whole)
	require.ErrorContains(t, err, "store.json")
	for _, s := range []string{"", "1", "0/8", "9/8", "1/0", "-1/2", "1/2/3", "a/b", "01/2"} {
		_, err := ParseShard(s)
		require.Error(t, err, s)
	}
}

func TestCancelKeepsWhatIsDone(t *testing.T) {
	m, dir := maker(t, false), filepath.Join(t.TempDir(), "store")
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Open(dir, recipe(m, Pictures), whole)
	require.NoError(t, err)
	m.Batch = 1
	done := 0
	m.Report = func(Item, bool, error) {
		if done++; done == 3 {
			cancel()
		}
	}
	require.ErrorIs(t, m.Run(ctx, s, s.Items(caption.NewCorpus(captions))), context.Canceled)
	require.NoError(t, s.Close())
	require.GreaterOrEqual(t, done, 3)
	require.LessOrEqual(t, done, 5, "one was being written and one drawn")
	require.Len(t, tree(t, dir), 1+done)
}

// TestKilledRunsEndInTheSameStore kills a child process ten times at random
// moments, lets it finish, and compares with a run that nothing disturbed.
func TestKilledRunsEndInTheSameStore(t *testing.T) {
	const store = "SYNTIC_TEST_STORE"
	if dir := os.Getenv(store); dir != "" { // the child
		m := maker(t, true)
		require.NoError(t, run(t, m, dir, recipe(m, Parts()...), whole, slices.Repeat(captions, 4)))
		return
	}
	dir := t.TempDir()
	child := func(name string) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledRunsEndInTheSameStore$")
		c.Env = append(os.Environ(), store+"="+filepath.Join(dir, name))
		return c
	}
	begin := time.Now()
	out, err := child("whole").CombinedOutput()
	require.NoError(t, err, string(out))
	whole := time.Since(begin)
	r := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for range 10 {
		c := child("killed")
		require.NoError(t, c.Start())
		time.Sleep(time.Duration(r.Float64() * float64(whole) / 4))
		require.NoError(t, c.Process.Kill())
		if c.Wait() != nil {
			killed++
		}
	}
	require.Positive(t, killed)
	t.Logf("%d of 10 were killed before they ended", killed)
	out, err = child("killed").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, tree(t, filepath.Join(dir, "whole")), tree(t, filepath.Join(dir, "killed")))
	entries, err := os.ReadDir(filepath.Join(dir, "killed"))
	require.NoError(t, err)
	require.Len(t, entries, 3) // nothing unfinished is left
}
