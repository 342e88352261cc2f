package meteor

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tools/metrics/ngram"
)

// shared returns a file of the shared reference material or skips loudly.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("missing %s and SYNTIC_REQUIRE_SHARED=1", path)
		}
		t.Skipf("NOT CHECKED: %s is absent (set SYNTIC_SHARED)", path)
	}
	return path
}

// data opens METEOR's own data or skips loudly.
func data(t *testing.T) *Data {
	t.Helper()
	dir := os.Getenv("SYNTIC_METEOR_DATA")
	if dir == "" {
		t.Skip("NOT CHECKED: METEOR against the official scores; set SYNTIC_METEOR_DATA to a folder with meteor-1.5.jar and paraphrase-en.gz")
	}
	d, err := Open(filepath.Join(dir, "meteor-1.5.jar"), filepath.Join(dir, "paraphrase-en.gz"))
	require.NoError(t, err)
	require.True(t, d.Complete())
	return d
}

// TestOfficialPictures wants the official program's score of every picture, to
// the last bit.
func TestOfficialPictures(t *testing.T) {
	for _, name := range []string{"flickr30k_magic_first1000.json", "mscoco_magic_first1000.json"} {
		path := shared(t, "data", "gold", name)
		d := data(t)
		var gold struct {
			Refs   [][]string           `json:"tokenized_refs"`
			Hyps   []string             `json:"tokenized_hyp"`
			Scores map[string][]float64 `json:"per_image"`
		}
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &gold))
		var texts []string
		for i := range gold.Hyps {
			texts = append(append(texts, gold.Hyps[i]), gold.Refs[i]...)
		}
		c, err := NewCorpus(context.Background(), d, texts)
		require.NoError(t, err)
		a, k := c.NewAligner(), 0
		for i := range gold.Hyps {
			require.InDelta(t, gold.Scores["METEOR"][i], a.Best(k, len(gold.Refs[i])).Score(), 0, "%s: picture %d: %s", name, i, gold.Hyps[i])
			k += 1 + len(gold.Refs[i])
		}
	}
}

// TestExactAlignments are ties that only the official order of search decides.
// Source: the official program's aligner, exact stage.
func TestExactAlignments(t *testing.T) {
	for _, tc := range []struct {
		hyp, ref string
		want     [][2]int32 // start in the reference, in the prediction
	}{
		{"qa", "qa qx qa", [][2]int32{{2, 0}}},
		{"qz qa", "qa qx qa", [][2]int32{{0, 1}}},
		{"qa qb", "qa qb qx qa qb", [][2]int32{{3, 0}, {4, 1}}},
		{"qa qa", "qa qa qx qa qa", [][2]int32{{0, 0}, {1, 1}}},
		{"qa qx qa", "qa qy qa qy qa", [][2]int32{{0, 0}, {4, 2}}},
		{"qa qh1 qa qa", "qa qa qa", [][2]int32{{0, 0}, {1, 2}, {2, 3}}},
		{"qa qb", "qa qx qb qa qx qb", [][2]int32{{2, 1}, {3, 0}}},
		{"qa qh1 qb qc", "qa qr1 qb qa qc qa", [][2]int32{{2, 2}, {3, 0}, {4, 3}}},
	} {
		c, err := NewCorpus(context.Background(), &Data{}, []string{tc.hyp, tc.ref})
		require.NoError(t, err)
		a := c.NewAligner()
		s := a.Align(0, 1)
		var got [][2]int32
		for _, m := range a.found {
			got = append([][2]int32{{m.s2, m.s1}}, got...)
		}
		require.Equal(t, tc.want, got, "%s | %s", tc.hyp, tc.ref)
		require.Equal(t, len(tc.want), s.HypMatched)
	}
}

func TestNormalise(t *testing.T) {
	keep := map[string]bool{"vs": true}
	for in, want := range map[string]string{
		"u.s. and p.i.n.k. army":        "us and pink army",
		"u.s":                           "u.s",
		"is n't it 's":                  "is n 't it ' s",
		"ice-cream t-shirt":             "ice cream t shirt",
		"1-2-3-4":                       "1 2-3 4",
		"o'clock '05 5's 0'll":          "o 'clock ' 05 5 's 0'll",
		"$ 1,000 12:00 5.50":            "$ 1,000 12 : 00 5.50",
		"a!b @home #tag":                "a ! b @ home # tag",
		"one vs. Two. three. four .":    "one vs. two. three. four .",
		"dog.cat. a. b.":                "dogcat a. b .",
		"-----":                         "---",
		"":                              "",
		"caf\u00e9 o\u2019clock \u2026": "caf\u00e9 o 'clock \u2026",
	} {
		require.Equal(t, want, strings.Join(Normalise(in, keep), " "), "%q", in)
	}
}

func TestScore(t *testing.T) {
	perfect := Stats{Hyp: Count{1, 1}, Ref: Count{1, 1}, Chunks: 1, HypMatched: 2, RefMatched: 2}
	perfect.HypMatches[Exact], perfect.RefMatches[Exact] = Count{1, 1}, Count{1, 1}
	require.Equal(t, 1.0, perfect.Score())
	half := perfect
	half.Hyp.Content, half.Hyp.Function = 4, 1
	// Both numbers are the official program's answers to EVAL lines.
	require.InDelta(t, 0.3571361959045425, half.Score(), 1e-15)
	var sum Stats
	sum.Add(perfect)
	sum.Add(half)
	require.InDelta(t, 0.46655403640374804, sum.Score(), 1e-15)
	require.Zero(t, Stats{}.Score())
	broken := perfect
	broken.Chunks = 2
	require.InDelta(t, 0.4, broken.Score(), 1e-15)
}

func TestOpenFaults(t *testing.T) {
	d, err := Open("", "")
	require.NoError(t, err)
	require.Equal(t, []Stage{Exact, Stem}, d.Stages())
	require.False(t, d.Complete())
	bad := filepath.Join(t.TempDir(), "bad.jar")
	require.NoError(t, os.WriteFile(bad, []byte("not a zip"), 0o600))
	_, err = Open(bad, "")
	require.ErrorContains(t, err, "bad.jar is not METEOR's jar")
	_, err = NewCorpus(context.Background(), &Data{paraphrases: bad}, []string{"a"})
	require.ErrorContains(t, err, "bad.jar")
	require.ErrorContains(t, err, "paraphrase-en.gz from the Python package")
}

func TestReadTable(t *testing.T) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write([]byte("0.1\nthe man\na man\n0.2\nthe man\nunseen\n0.3\nman\nthe man\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	vocab, trie := ngram.NewVocabulary(), ngram.NewTrie()
	for _, s := range []string{"the man", "a man"} {
		var ids []uint32
		for _, w := range strings.Fields(s) {
			ids = append(ids, vocab.Add(w))
		}
		eachPhrase(ids, func(_, _ int, parent, w uint32) uint32 { return trie.Add(parent, w) })
	}
	whole := filepath.Join(t.TempDir(), "p.gz")
	require.NoError(t, os.WriteFile(whole, buf.Bytes(), 0o600))
	tb, err := openTable(whole)
	require.NoError(t, err)
	near, err := tb.load(context.Background(), vocab, trie)
	require.NoError(t, err)
	require.Len(t, near.list, 2)
	tb.close()
	for cut := 1; cut < buf.Len(); cut++ {
		require.NoError(t, os.WriteFile(whole, buf.Bytes()[:cut], 0o600))
		tb, err = openTable(whole)
		require.NoError(t, err)
		_, err = tb.load(context.Background(), vocab, trie)
		require.Error(t, err, "%d of %d bytes must not pass for a whole file", cut, buf.Len())
		tb.close()
	}
}

func TestDetachment(t *testing.T) {
	d := &Data{synsets: map[string]string{"waite": "1", "wait": "2", "look": "3", "a": "4", "man": "5", "go": "6", "we": "7"},
		bases: map[string][]string{"went": {"go"}}}
	require.Equal(t, []int32{1}, d.synsetsOf("waited"), "the first rule that leads to a word wins")
	require.Equal(t, []int32{3}, dedupe(d.synsetsOf("looks")))
	require.Empty(t, d.synsetsOf("as"), "two letters are not cut")
	require.Equal(t, []int32{5}, d.synsetsOf("men"))
	require.Equal(t, []int32{6}, d.synsetsOf("went"))
}

func dedupe(v []int32) []int32 {
	seen := map[int32]bool{}
	var out []int32
	for _, x := range v {
		if !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	return out
}

func FuzzNormalise(f *testing.F) {
	f.Add("u.s. is n't 1-2-3 ''a`` ... ,5 \u2026")
	f.Fuzz(func(t *testing.T, s string) {
		for _, w := range Normalise(s, nil) {
			if w == "" || strings.ContainsAny(w, " \t\n") {
				t.Fatalf("%q has the word %q", s, w)
			}
		}
	})
}
