package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// peers returns the directory of the other engines' results, beside the module.
func peers(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
		}
		root = filepath.Join(dir, "..", "shared")
	}
	dir := filepath.Join(root, "peers", "results")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED against the peers' workloads: no %s", dir)
	}
	return dir
}

// TestPeersWorkloads compares names and counts with what the peers were measured
// on.
func TestPeersWorkloads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(peers(t), "peers_cpu_*.json"))
	require.NoError(t, err)
	type row struct {
		Name, Set     string
		FLOPs, NBytes float64
	}
	theirs := map[string]row{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		var doc struct{ Results []row }
		require.NoError(t, json.Unmarshal(data, &doc))
		for _, r := range doc.Results {
			theirs[r.Name] = r
		}
	}
	for _, w := range workloads() {
		r, ok := theirs[w.Name]
		require.True(t, ok, w.Name)
		require.InEpsilon(t, 1+r.FLOPs, 1+w.FLOPs, 1e-12, w.Name)
		if w.Kind == "op" {
			require.Equal(t, r.NBytes, w.Bytes, w.Name)
		}
		require.Equal(t, r.Set, map[string]string{"kernels": "ops", "models": "models", "heavy": "heavy"}[w.set()], w.Name)
		delete(theirs, w.Name)
	}
	delete(theirs, "train b80 len20") // isn't built yet
	require.Empty(t, theirs)
}

func TestDecode(t *testing.T) {
	var w Work
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"g","Kind":"gemm","set":"ops","flops":24,"nbytes":9,"M":2,"K":3,"N":4}`), &w))
	require.Equal(t, Work{Name: "g", Kind: "gemm", FLOPs: 24, M: 2, K: 3, N: 4}, Work{Name: w.Name, Kind: w.Kind, FLOPs: w.FLOPs, M: w.M, K: w.K, N: w.N})
	w = Work{}
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"t","Kind":"model","set":"models","flops":1,"nbytes":0,"M":"clip_text","Bt":2,"Len":16,"note":"short"}`), &w))
	require.Equal(t, "clip_text", w.Model)
	require.Equal(t, 2, w.Bt)
	require.Equal(t, 16, w.Len)
	require.Zero(t, w.M)
	w = Work{}
	require.NoError(t, json.Unmarshal([]byte(`{"Kind":"conv","C":3,"H":8,"W":9,"Co":4,"Ks":3,"S":2,"B":1}`), &w))
	require.Equal(t, Work{Kind: "conv", C: 3, H: 8, W: 9, Co: 4, Ks: 3, S: 2, B: 1}, w)
	require.Error(t, json.Unmarshal([]byte(`{"Kind":"gemm","M":"clip_text"}`), &w))
	require.Error(t, json.Unmarshal([]byte(`{"Kind":"model","M":7}`), &w))
}

func TestSelect(t *testing.T) {
	all, err := Select("", nil)
	require.NoError(t, err)
	kernels, err := Select("kernels", nil)
	require.NoError(t, err)
	models, err := Select("models", nil)
	require.NoError(t, err)
	require.Equal(t, all, append(kernels, models...))
	heavy, err := Select("heavy", nil)
	require.NoError(t, err)
	require.Equal(t, workloads(), append(all, heavy...))
	names := map[string]bool{}
	for _, w := range workloads() {
		require.NoError(t, w.check())
		require.NotEmpty(t, w.dims())
		require.Positive(t, w.FLOPs+w.Bytes, w.Name)
		require.False(t, names[w.Name], w.Name)
		names[w.Name] = true
	}
	one, err := Select("kernels", regexp.MustCompile("^gemm 512x"))
	require.NoError(t, err)
	require.Len(t, one, 1)
	_, err = Select("kernels", regexp.MustCompile("^clip"))
	require.ErrorContains(t, err, "^clip")
	_, err = Select("unets", nil)
	require.ErrorContains(t, err, "unets")
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		w    Work
		want string
	}{
		{Work{Kind: "train"}, `"train" isn't built yet`},
		{Work{Kind: "gemm", M: 1, K: 0, N: 1}, "K is 0"},
		{Work{Kind: "gemm", M: 1, K: 1, N: -5}, "N is -5"},
		{Work{Kind: "gemm", M: 1 << 30, K: 1 << 30, N: 1 << 30}, "elements, at most"},
		{Work{Kind: "conv", B: 1, C: 3, H: 8, W: 8, Co: 4, Ks: 3}, "S is 0"},
		{Work{Kind: "conv", B: 1, C: 3, H: 8, W: 8, Co: 4, Ks: 32, S: 32}, "larger than the picture"},
		{Work{Kind: "attn", B: 1, Hd: 1, Lq: 1, Lk: 0, D: 1}, "Lk is 0"},
		{Work{Kind: "op", Op: "erf", Shape: []int{4}}, `"erf" is unknown`},
		{Work{Kind: "op", Op: "gelu"}, "no gelu of shape"},
		{Work{Kind: "op", Op: "gelu", Shape: []int{4, 0}}, "Shape is 0"},
		{Work{Kind: "op", Op: "groupnorm", Shape: []int{1, 33, 2, 2}}, "no groupnorm"},
		{Work{Kind: "op", Op: "groupnorm", Shape: []int{64, 64}}, "no groupnorm"},
		{Work{Kind: "model", Model: "detr"}, "Bt is 0"},
		{Work{Kind: "greedy", Bt: maxBatch + 1}, "at most"},
	} {
		require.ErrorContains(t, c.w.check(), c.want)
	}
}
