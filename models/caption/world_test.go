package caption

import (
	"archive/zip"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/models/vision"
	"syntic/tensor"
	"syntic/tensor/cpu"
	"syntic/weights"
)

// shared returns the folder of the shared reference material.
func shared(t *testing.T) string {
	dir := os.Getenv("SYNTIC_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "world")); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") != "" {
			t.Fatalf("the shared reference material is required and isn't at %s", dir)
		}
		t.Skipf("no shared reference material at %s: that our captions equal PyTorch's is NOT checked", dir)
	}
	return dir
}

// reference is what PyTorch says of one picture.
type reference struct {
	File   string `json:"file"`
	Greedy string `json:"greedy"`
	Beam   string `json:"beam5"`
	Tags   [][]any
}

func readDomain(t *testing.T, dir, domain string) (refs []reference, pictures []*vision.Picture) {
	b, err := os.ReadFile(filepath.Join(dir, "world", "reference_"+domain+"_test.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &refs))
	z, err := zip.OpenReader(filepath.Join(dir, "world", "data", domain+"_test.zip"))
	require.NoError(t, err)
	defer z.Close()
	for _, r := range refs {
		f, err := z.Open(r.File)
		require.NoError(t, err)
		p, _, err := vision.Decode(f, vision.Limits{})
		require.NoError(t, err)
		pictures = append(pictures, p)
	}
	return refs, pictures
}

// openWorld loads the scale model on a new device.
func openWorld(t *testing.T, dir string, o cpu.Options) *Model {
	d, err := cpu.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	m, err := Load(context.Background(), d, weights.DiskDir(filepath.Join(dir, "world", "bundle")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// Over all test pictures of both domains, captions and tags must be PyTorch's
// but for rare near-ties, and features within 1e-4. Portable kernels see 32 of
// each domain unless SYNTIC_VERIFY_ALL is set.
func TestWorldEqualsPyTorch(t *testing.T) {
	dir := shared(t)
	for _, level := range isa.All() {
		for _, domain := range []string{"A", "B"} {
			t.Run(level.String()+"/"+domain, func(t *testing.T) {
				refs, pictures := readDomain(t, dir, domain)
				// Plain Go needs minutes for all; make its default a part.
				if level == isa.Portable && os.Getenv("SYNTIC_VERIFY_ALL") == "" {
					refs, pictures = refs[:32], pictures[:32]
				}
				checkDomain(t, openWorld(t, dir, cpu.Options{ISA: level.String()}), dir, domain, refs, pictures)
			})
		}
	}
}

func checkDomain(t *testing.T, m *Model, dir, domain string, refs []reference, pictures []*vision.Picture) {
	ctx := context.Background()
	greedy, err := m.Caption(ctx, pictures, Options{})
	require.NoError(t, err)
	beam, err := m.Caption(ctx, pictures, Options{Beams: 5})
	require.NoError(t, err)
	src, err := weights.Open(filepath.Join(dir, "world", "reference_"+domain+"_test.safetensors"))
	require.NoError(t, err)
	defer src.Close()
	n := len(refs)
	captions, beams, tags := 0, 0, 0
	for i, r := range refs {
		captions += same(t, r.File+" greedy", greedy[i].Caption, r.Greedy)
		beams += same(t, r.File+" beam", beam[i].Caption, r.Beam)
		var want []string
		for _, tag := range r.Tags {
			want = append(want, tag[0].(string))
		}
		var got []string
		for _, tag := range greedy[i].Tags {
			got = append(got, tag.Name)
		}
		if len(got) == len(want) && (len(got) == 0 || equal(got, want)) {
			tags++
		} else {
			t.Logf("%s tags: %v, PyTorch %v", r.File, got, want)
		}
	}
	require.GreaterOrEqual(t, captions*100, 99*n, "greedy captions equal: %d of %d", captions, n)
	require.GreaterOrEqual(t, beams*100, 99*n, "beam captions equal: %d of %d", beams, n)
	require.GreaterOrEqual(t, tags*100, 98*n, "tag lists equal: %d of %d", tags, n)
	worst := featureError(t, src, "clip_features", n, func(i int) []float32 { return greedy[i].Feature })
	worstProjected := featureError(t, src, "projected", n, func(i int) []float32 { return greedy[i].Projected })
	t.Logf("%s: greedy %d, beam %d, tags %d of %d equal; largest difference of a feature %.1e, of a projected one %.1e", domain, captions, beams, tags, n, worst, worstProjected)
	require.Less(t, worst, 1e-4)
	require.Less(t, worstProjected, 1e-4)
}

func same(t *testing.T, what, got, want string) int {
	if got == want {
		return 1
	}
	t.Logf("%s: %q, PyTorch %q", what, got, want)
	return 0
}

func equal(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// featureError returns the largest difference from the reference features.
func featureError(t *testing.T, src weights.Source, name string, n int, got func(i int) []float32) float64 {
	info, err := src.Get(name)
	require.NoError(t, err)
	want, err := tensor.FromInfo(info).Float32s()
	require.NoError(t, err)
	worst := 0.0
	for i := range n {
		g := got(i)
		for j, v := range g {
			worst = max(worst, math.Abs(float64(v)-float64(want[i*len(g)+j])))
		}
	}
	return worst
}

// A picture's caption, features and projection must not depend on the threads,
// nor on the pictures that share its batch.
func TestBatchAndThreadsGiveTheSameBits(t *testing.T) {
	dir := shared(t)
	_, pictures := readDomain(t, dir, "A")
	pictures = pictures[:8]
	one := openWorld(t, dir, cpu.Options{Threads: 1})
	two := openWorld(t, dir, cpu.Options{Threads: 2})
	ctx := context.Background()
	batch, err := two.Caption(ctx, pictures, Options{})
	require.NoError(t, err)
	for i, p := range pictures {
		alone, err := one.Caption(ctx, []*vision.Picture{p}, Options{})
		require.NoError(t, err)
		require.Equal(t, batch[i], alone[0], "picture %d", i)
	}
}
