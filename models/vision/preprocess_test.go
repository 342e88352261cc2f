package vision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseConfig(t *testing.T) {
	parse := func(text string, base Config) Config {
		c, err := ParseConfig(strings.NewReader(text), base)
		require.NoError(t, err)
		return c
	}
	require.Equal(t, CLIPConfig(224), parse(`{"size": 224, "crop_size": 224, "resample": 3}`, CLIPConfig(224)))
	require.Equal(t, CLIPConfig(64), parse(`{"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}`, CLIPConfig(224)))
	require.Equal(t, DETRConfig(), parse(`{"size": 800, "max_size": 1333}`, DETRConfig()))
	require.Equal(t, DETRConfig(), parse(`{"size": {"shortest_edge": 800, "longest_edge": 1333}}`, DETRConfig()))
	c := parse(`{"size": {"height": 128, "width": 96}, "do_rescale": false, "do_normalize": false}`, DETRConfig())
	w, h := c.OutputSize(1000, 10)
	require.Equal(t, [2]int{96, 128}, [2]int{w, h})
	dst := make([]float32, w*h*3)
	p := pattern(96, 128)
	require.NoError(t, c.Tensor(dst, p, nil))
	for i, v := range p.Pix {
		require.Equal(t, float32(v), dst[i])
	}
	for text, want := range map[string]string{
		`{"size": `:                    "unexpected EOF",
		`{"size": "big"}`:              "size",
		`{"size": {}}`:                 "shortest_edge",
		`{"size": -1}`:                 "size.shortest_edge is -1",
		`{"size": 1000000}`:            "size.shortest_edge is 1000000",
		`{"resample": 9}`:              "resample is 9",
		`{"image_std": [1, 0, 1]}`:     "image_std[1]",
		`{"crop_size": {"height": 5}}`: "crop_size",
	} {
		_, err := ParseConfig(strings.NewReader(text), CLIPConfig(224))
		require.ErrorContains(t, err, want, text)
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "preprocessor_config.json")
	_, err := LoadConfig(dir, CLIPConfig(224))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte(`{"crop_size": 0}`), 0o600))
	_, err = LoadConfig(dir, CLIPConfig(224))
	require.ErrorContains(t, err, path)

	for file, want := range map[string]Config{
		"golden/configs/openai_clip-vit-base-patch32": CLIPConfig(224),
		"golden/configs/facebook_detr-resnet-50":      DETRConfig(),
		"world/bundle/clip":                           CLIPConfig(64),
	} {
		got, err := LoadConfig(shared(t, file), want)
		require.NoError(t, err)
		require.Equal(t, want, got, file)
	}
	got, err := LoadConfig(shared(t, "world/bundle/detr"), DETRConfig())
	require.NoError(t, err)
	require.Equal(t, [2]int{128, 128}, [2]int{got.Height, got.Width})
}

// TestSmallPictureIsPadded: a crop larger than the picture gets a black border.
func TestSmallPictureIsPadded(t *testing.T) {
	c := CLIPConfig(8)
	c.Resize, c.Normalize = false, false
	src := pattern(5, 3)
	p := c.Pixels(src, nil)
	require.Equal(t, [2]int{8, 8}, [2]int{p.W, p.H})
	for y := range 8 {
		for x := range 8 {
			want := [3]byte{}
			if sx, sy := x-2, y-3; sx >= 0 && sx < 5 && sy >= 0 && sy < 3 {
				want = src.at(sx, sy)
			}
			require.Equal(t, want, p.at(x, y), "%d,%d", x, y)
		}
	}
}

func TestTensorErrors(t *testing.T) {
	c := CLIPConfig(8)
	require.ErrorContains(t, c.Tensor(make([]float32, 7), pattern(9, 9), nil), "8×8×3")
	c.Crop = false
	require.ErrorContains(t, c.Tensor(nil, pattern(1, 60000), nil), "480000")
	d := DETRConfig()
	d.PadH, d.PadW = 10, 10
	require.ErrorContains(t, d.Batch(make([]float32, 300), make([]uint8, 100), []*Picture{pattern(9, 9)}, nil), "pad_size 10×10")
	require.ErrorContains(t, d.Batch(nil, nil, []*Picture{pattern(9, 9)}, nil), "mask of 0")
}

// TestResizeWindow: a window is that part of the whole, for every filter.
func TestResizeWindow(t *testing.T) {
	src := pattern(41, 29)
	for f := Nearest; f <= Hamming; f++ {
		for _, size := range [][2]int{{17, 50}, {41, 9}, {90, 29}, {41, 29}, {1, 1}} {
			whole := src.Resize(size[0], size[1], f, nil)
			win := window{size[0] / 3, size[1] / 4, (size[0] + 1) / 2, (size[1] + 1) / 2}
			require.Equal(t, whole.crop(win), src.resizeWindow(size[0], size[1], win, f, halves), "%v %v", f, size)
		}
	}
	require.Panics(t, func() { src.Resize(0, 1, Box, nil) })
	require.Panics(t, func() { src.Resize(1, 1, Filter(6), nil) })
}
