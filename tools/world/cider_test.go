package world

import (
	"archive/zip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/models/caption"
	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/tools/metrics/overlap"
)

// clean is how the scale model's experiments tokenise captions.
// Source: world/scripts/exp.py, clean.
func clean(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer(",", " ", ".", " ").Replace(strings.ToLower(s))), " ")
}

// The greedy captions of domain A's 500 test pictures must score what the
// PyTorch captioner's do.
func TestScoreOfDomainA(t *testing.T) {
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer d.Close()
	if d.Table().ISA == isa.Portable && os.Getenv("SYNTIC_VERIFY_ALL") == "" {
		t.Skip("portable kernels need two minutes for 500 pictures; SYNTIC_VERIFY_ALL=1 runs them")
	}
	shared := os.Getenv("SYNTIC_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(shared, "world", "data", "captions_A_test.json"))
	if err != nil {
		require.Empty(t, os.Getenv("SYNTIC_REQUIRE_SHARED"), "the shared reference material is required: %v", err)
		t.Skipf("no shared reference material at %s: the scale model's CIDEr is NOT checked", shared)
	}
	var annotations struct {
		Images []struct {
			ID   int    `json:"id"`
			File string `json:"file_name"`
		}
		Annotations []struct {
			Image   int `json:"image_id"`
			Caption string
		}
	}
	require.NoError(t, json.Unmarshal(data, &annotations))
	of := map[int][]string{}
	for _, a := range annotations.Annotations {
		of[a.Image] = append(of[a.Image], clean(a.Caption))
	}
	z, err := zip.OpenReader(filepath.Join(shared, "world", "data", "A_test.zip"))
	require.NoError(t, err)
	defer z.Close()
	var pictures []*vision.Picture
	var refs [][]string
	for _, i := range annotations.Images {
		f, err := z.Open(filepath.Base(i.File))
		require.NoError(t, err)
		p, _, err := vision.Decode(f, vision.Limits{})
		require.NoError(t, err)
		pictures, refs = append(pictures, p), append(refs, of[i.ID])
	}
	require.Len(t, pictures, 500)
	m, err := caption.Load(context.Background(), d, Model())
	require.NoError(t, err)
	defer m.Close()
	results, err := m.Caption(context.Background(), pictures, caption.Options{})
	require.NoError(t, err)
	var hyps []string
	for _, r := range results {
		hyps = append(hyps, clean(r.Caption))
	}
	c := overlap.Index(hyps, refs)
	sum, s := 0.0, c.NewScratch()
	for i := range hyps {
		sum += c.CIDEr(i, overlap.CIDErD, s)
	}
	cider := 100 * sum / float64(len(hyps))
	t.Logf("CIDEr of greedy captions on domain A: %.2f", cider)
	require.InDelta(t, 211.1, cider, 0.5)
}
