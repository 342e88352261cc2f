package vision

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/weights"
)

// shared returns a path of the shared material, which lies beside the module.
func shared(t testing.TB, path string) string {
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
	full := filepath.Join(root, path)
	if _, err := os.Stat(full); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED against %s: no shared material", path)
	}
	return full
}

// entry is one case of the golden manifest.
type entry struct {
	ID, File, Picture, Picture0, Filter string
	CropTopLeft                         []int          `json:"crop_top_left"`
	CropTopLeftOpenAI                   []int          `json:"crop_top_left_openai"`
	ResizedHW                           []int          `json:"resized_hw"`
	SizeHW                              []int          `json:"size_hw"`
	Size                                map[string]int `json:"size"`
	Inputs                              map[string]tensorRef
	Outputs                             map[string]tensorRef
}

type tensorRef struct {
	Tensor     string
	Shape      []int
	Tol        float64
	FullShape  []int `json:"full_shape"`
	FlatStride int   `json:"flat_stride"`
}

// golden returns the cases whose id starts with prefix, and their tensors.
func golden(t *testing.T, prefix string) ([]entry, func(ref tensorRef) []byte) {
	raw, err := os.ReadFile(shared(t, "golden/manifest.json"))
	require.NoError(t, err)
	var manifest struct{ Entries []json.RawMessage }
	require.NoError(t, json.Unmarshal(raw, &manifest))
	var found []entry
	for _, raw := range manifest.Entries {
		var id struct{ ID string }
		require.NoError(t, json.Unmarshal(raw, &id))
		if strings.HasPrefix(id.ID, prefix) {
			var e entry
			require.NoError(t, json.Unmarshal(raw, &e))
			found = append(found, e)
		}
	}
	require.NotEmpty(t, found)
	src, err := weights.Open(shared(t, "golden/"+found[0].File))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return found, func(ref tensorRef) []byte {
		info, err := src.Get(ref.Tensor)
		require.NoError(t, err)
		return info.Data
	}
}

func floats(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func open(t testing.TB, path string) *Picture {
	t.Helper()
	p, _, err := DecodeFile(shared(t, path), Limits{})
	require.NoError(t, err)
	return p
}

// nchw reorders one picture's [H,W,3] values to [3,H,W].
func nchw(x []float32) []float32 {
	out := make([]float32, len(x))
	n := len(x) / 3
	for i := range n {
		for c := range 3 {
			out[c*n+i] = x[3*i+c]
		}
	}
	return out
}

// relErr is the manifest's metric: the norm of the difference over the norm.
func relErr(got, want []float32) float64 {
	var diff, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(diff / norm)
}

func every(x []float32, stride int) []float32 {
	var out []float32
	for i := 0; i < len(x); i += stride {
		out = append(out, x[i])
	}
	return out
}

func everyByte(x []byte, stride int) []byte {
	var out []byte
	for i := 0; i < len(x); i += stride {
		out = append(out, x[i])
	}
	return out
}

func TestGoldenPillowResize(t *testing.T) {
	cases, get := golden(t, "pre/pil/")
	src := &Picture{W: 53, H: 37}
	for _, e := range cases {
		if in, ok := e.Inputs["picture"]; ok {
			src.Pix = get(in)
		}
		var f Filter
		for i, name := range filterNames {
			if name == e.Filter {
				f = Filter(i)
			}
		}
		for _, par := range []Parallel{nil, halves} {
			got := src.Resize(e.SizeHW[1], e.SizeHW[0], f, par)
			require.Equal(t, get(e.Outputs["out"]), got.Pix, e.ID)
		}
	}
}

// halves runs two parts at once.
func halves(n int, body func(lo, hi int)) {
	done := make(chan struct{})
	go func() {
		body(n/2, n)
		close(done)
	}()
	body(0, n/2)
	<-done
}

func TestGoldenCLIP(t *testing.T) {
	cases, get := golden(t, "pre/clip/")
	for _, e := range cases {
		p := open(t, "golden/"+e.Picture)
		c := CLIPConfig(224)
		w, h := c.ResizedSize(p.W, p.H)
		require.Equal(t, e.ResizedHW, []int{h, w}, e.ID)
		crop := c.Pixels(p, halves)
		require.Equal(t, get(e.Outputs["crop_u8"]), crop.Pix, e.ID)
		whole := p.Resize(w, h, Bicubic, nil)
		if ref, ok := e.Outputs["resized_u8"]; ok {
			require.Equal(t, get(ref), whole.Pix, e.ID)
		} else {
			require.Equal(t, get(e.Outputs["resized_u8_every7"]), everyByte(whole.Pix, 7), e.ID)
		}
		if ref, ok := e.Outputs["crop_u8_openai"]; ok {
			rounded := c
			rounded.RoundedCrop = true
			require.Equal(t, get(ref), rounded.Pixels(p, nil).Pix, e.ID)
		}
		dst := make([]float32, 224*224*3)
		require.NoError(t, c.Tensor(dst, p, nil))
		ref := e.Outputs["pixel_values"]
		got := nchw(dst)
		if ref.FlatStride > 0 {
			got = every(got, ref.FlatStride)
		}
		want := floats(get(ref))
		require.Len(t, got, len(want), e.ID)
		require.LessOrEqual(t, relErr(got, want), ref.Tol, e.ID)
		require.Equal(t, want, got, "%s: Hugging Face's rounding", e.ID)
	}
}

func TestGoldenDETR(t *testing.T) {
	cases, get := golden(t, "pre/detr/")
	for _, e := range cases {
		p := open(t, "golden/"+e.Picture)
		c := DETRConfig()
		w, h := c.ResizedSize(p.W, p.H)
		require.Equal(t, e.ResizedHW, []int{h, w}, e.ID)
		px := c.Pixels(p, nil)
		require.Equal(t, get(e.Outputs["resized_u8_every131"]), everyByte(px.Pix, 131), e.ID)
		sum := uint64(0)
		for _, v := range px.Pix {
			sum += uint64(v)
		}
		require.Equal(t, binary.LittleEndian.Uint64(get(e.Outputs["sum_u8"])), sum, e.ID)
		dst := make([]float32, w*h*3)
		require.NoError(t, c.Tensor(dst, p, halves))
		ref := e.Outputs["pixel_values_every1069"]
		want, got := floats(get(ref)), every(nchw(dst), 1069)
		require.LessOrEqual(t, relErr(got, want), ref.Tol, e.ID)
	}
}

func TestGoldenDETRBatch(t *testing.T) {
	cases, get := golden(t, "pre/detr_batch")
	e := cases[0]
	in := e.Inputs["picture1"]
	pictures := []*Picture{open(t, "golden/"+e.Picture0), {H: in.Shape[0], W: in.Shape[1], Pix: get(in)}}
	c := DETRConfig()
	c.Short, c.Long = e.Size["shortest_edge"], e.Size["longest_edge"]
	ref := e.Outputs["pixel_values"]
	w, h := c.BatchSize(pictures)
	require.Equal(t, []int{2, 3, h, w}, ref.Shape)
	dst, mask := make([]float32, 2*h*w*3), make([]uint8, 2*h*w)
	require.NoError(t, c.Batch(dst, mask, pictures, nil))
	require.Equal(t, get(e.Outputs["pixel_mask"]), mask)
	n := h * w * 3
	got := append(nchw(dst[:n]), nchw(dst[n:])...)
	require.LessOrEqual(t, relErr(got, floats(get(ref))), ref.Tol)
}

// TestJPEGAgainstPillow decodes photographs to libjpeg-turbo's bytes.
func TestJPEGAgainstPillow(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "golden/preprocess/pictures"), "*.jpg"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		got, format, err := DecodeFile(file, Limits{})
		require.NoError(t, err)
		require.Equal(t, "JPEG", format)
		want, _, err := DecodeFile(strings.TrimSuffix(file, ".jpg")+".png", Limits{})
		require.NoError(t, err)
		worst, differ, mean := difference(got, want)
		require.Zero(t, worst, "%s: %.3f %% of samples differ, mean %.5f", filepath.Base(file), 100*differ, mean)
	}
}

// difference returns the largest difference of two samples, the fraction that
// differ and the mean difference.
func difference(a, b *Picture) (worst int, differ, mean float64) {
	n := 0
	total := 0
	for i, v := range a.Pix {
		d := int(v) - int(b.Pix[i])
		if d < 0 {
			d = -d
		}
		if d > 0 {
			n++
		}
		total += d
		worst = max(worst, d)
	}
	return worst, float64(n) / float64(len(a.Pix)), float64(total) / float64(len(a.Pix))
}
