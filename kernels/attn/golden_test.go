package attn

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
)

// shared returns the path of shared test material, or skips (fails with
// SYNTIC_REQUIRE_SHARED=1) saying what goes unchecked.
func shared(t *testing.T, name string) string {
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(dir, "..", "shared")
				break
			}
		}
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			require.NoError(t, err)
		}
		t.Skipf("NOT CHECKED: attention against PyTorch's results; %s is missing", name)
	}
	return path
}

type golden struct {
	shape []int
	data  []float32
}

func readSafetensors(t *testing.T, path string) map[string]golden {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(raw)
	var head map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	require.NoError(t, json.Unmarshal(raw[8:8+n], &head))
	out := map[string]golden{}
	for name, h := range head {
		b := raw[8+int(n):][h.Offsets[0]:h.Offsets[1]]
		g := golden{shape: h.Shape}
		switch h.DType {
		case "F32":
			for ; len(b) > 0; b = b[4:] {
				g.data = append(g.data, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		case "I64":
			for ; len(b) > 0; b = b[8:] {
				g.data = append(g.data, float32(int64(binary.LittleEndian.Uint64(b))))
			}
		}
		out[name] = g
	}
	return out
}

// PyTorch's results in float64, on the shapes that break attention kernels.
func TestGolden(t *testing.T) {
	all := readSafetensors(t, shared(t, "golden/ops/attention.safetensors"))
	cases := 0
	pool := par.New(2)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernel) {
		cases = 0
		for name, out := range all {
			id, ok := strings.CutSuffix(name, "/out/out")
			if !ok {
				continue
			}
			cases++
			t.Run(strings.TrimPrefix(id, "op/"), func(t *testing.T) {
				// [B,H,L,D] is B·H batch items of one head.
				rows := func(g golden) (heads, l int) { return g.shape[0] * g.shape[1], g.shape[2] }
				q, kk, v, mask := all[id+"/in/q"], all[id+"/in/k"], all[id+"/in/v"], all[id+"/in/mask"]
				b, lq := rows(q)
				_, lk := rows(kk)
				var keep []float32
				for h := range b * min(1, len(mask.data)) {
					item := h / q.shape[1]
					keep = append(keep, mask.data[item*lk:][:lk]...)
				}
				o := New(k, pool, Spec{B: b, H: 1, LQ: lq, LK: lk, D: q.shape[3], Causal: strings.Contains(id, "causal"), KeyMask: keep != nil})
				got := make([]float32, len(q.data))
				o.Run(got, q.data, kk.data, v.data, keep, lk, make([]float32, o.Workspace()))
				want := make([]float64, len(got))
				for i, x := range out.data {
					want[i] = float64(x)
				}
				require.Less(t, relErr(got, want), 2e-6)
			})
		}
		require.Equal(t, 8, cases)
	})
}
