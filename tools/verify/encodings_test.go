package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// TestEncodings loads the tiny models from every form that the golden kit has
// of them and compares with the same goldens: exact copies within the manifest's
// tolerances, halved ones within what their rounding explains (2⁻¹¹ and 2⁻⁸ per
// weight, times the square root of the layers it goes through).
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		prefix, weights string
		tol             float64 // 0: the manifest's
	}{
		{"tiny/clip/", "tiny/clip/model.fp16.safetensors", 2e-3},
		{"tiny/clip/", "tiny/clip/model.bf16.safetensors", 1.5e-2},
		{"tiny/clip/", "tiny/clip/pytorch_model.bin", 0},
		{"tiny/clip/", "tiny/clip_sharded", 0},
		{"tiny/clip/", "tiny/clip_sharded/model.safetensors.index.json", 0},
		{"tiny/detr/", "tiny/detr_no_timm", 0},
	} {
		t.Run(strings.ReplaceAll(c.weights, "/", "_"), func(t *testing.T) {
			best := kernels.All()[len(kernels.All())-1].ISA.String()
			s, err := openSuite(golden(t), Options{Device: device(best)})
			require.NoError(t, err)
			defer s.close()
			n, worst := 0, 0.0
			for i := range s.manifest.Entries {
				e := &s.manifest.Entries[i]
				if !strings.HasPrefix(e.ID, c.prefix) || e.Outputs["scores0"].Tensor != "" {
					continue
				}
				n++
				e.Weights = c.weights
				for name, out := range e.Outputs {
					if c.tol > 0 {
						out.Tol = c.tol
						e.Outputs[name] = out
					}
				}
				p, err := s.open(e)
				require.NoError(t, err)
				r := s.replay(t.Context(), p, &testCase{e, s})
				require.NoError(t, p.close())
				require.True(t, r.Pass, fmt.Sprintf("%+v", r))
				worst = max(worst, r.RelErr)
			}
			require.GreaterOrEqual(t, n, 3)
			t.Logf("%d cases, the worst relative error %.2g", n, worst)
		})
	}
}
