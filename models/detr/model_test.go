package detr

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor/cpu"
	"syntic/weights"
)

var bg = context.Background()

const config = `{"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 4,
 "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "num_queries": 7, "num_labels": 5, "use_timm_backbone": false,
 "backbone_config": {"embedding_size": 8, "hidden_sizes": [8, 16, 24], "depths": [1, 2, 1], "layer_type": "basic"}}`

// tiny returns a small DETR with synthetic weights; change may replace the
// source of them.
func tiny(t *testing.T, change func(weights.Source) weights.Source) *Model {
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	c, err := ParseConfig([]byte(config))
	require.NoError(t, err)
	src := weights.Synthetic(8, nn.List(New(c), ""))
	if change != nil {
		src = change(src)
	}
	m, err := Load(d, []byte(config), src)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		require.NoError(t, d.Close())
	})
	return m
}

// centred is a source whose convolutions look at their centre alone, so that a
// cell of the feature map depends on the pixels it covers and on no others.
type centred struct{ weights.Source }

// Get implements weights.Source.
func (c centred) Get(name string) (weights.Info, error) {
	info, err := c.Source.Get(name)
	if err != nil || len(info.Shape) != 4 {
		return info, err
	}
	taps := info.Shape[2] * info.Shape[3]
	info.Data = slices.Clone(info.Data)
	for i := range len(info.Data) / 4 {
		if i%taps != taps/2 {
			clear(info.Data[4*i : 4*i+4])
		}
	}
	return info, nil
}

// picture returns H×W pixels of a pattern that depends on its number.
func picture(number, H, W int) []float32 {
	x := make([]float32, H*W*3)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*(number+2)) * 0.11))
	}
	return x
}

// run returns copies of what the model says.
func run(t *testing.T, m *Model, pixels []float32, masks []uint8, n, H, W int) Output {
	o, err := m.Run(bg, pixels, masks, n, H, W)
	require.NoError(t, err)
	return Output{slices.Clone(o.Logits), slices.Clone(o.Boxes)}
}

// Pictures of several sizes padded into one batch must give what each gives
// alone: padding is no key for attention and no step for positions, whatever it
// holds, and neighbours don't matter. The backbone itself knows no mask; so its
// convolutions are narrowed here to what lies inside the picture.
func TestPaddedBatchEqualsUnpadded(t *testing.T) {
	m := tiny(t, func(s weights.Source) weights.Source { return centred{s} })
	const H, W = 64, 96
	sizes := [][2]int{{64, 96}, {32, 96}, {64, 48}, {16, 16}, {48, 80}}
	pixels, masks := make([]float32, len(sizes)*H*W*3), make([]uint8, len(sizes)*H*W)
	for i := range pixels {
		pixels[i] = 40 // nothing may look at this
	}
	for i, s := range sizes {
		p := picture(i, s[0], s[1])
		for y := range s[0] {
			copy(pixels[((i*H+y)*W)*3:], p[y*s[1]*3:(y+1)*s[1]*3])
			for x := range s[1] {
				masks[(i*H+y)*W+x] = 1
			}
		}
	}
	all := run(t, m, pixels, masks, len(sizes), H, W)
	for i, s := range sizes {
		alone := run(t, m, pixels[i*H*W*3:(i+1)*H*W*3], masks[i*H*W:(i+1)*H*W], 1, H, W)
		require.Equal(t, alone.Logits, all.Logits[i*42:(i+1)*42], "neighbours must not matter to picture %d", i)
		require.Equal(t, alone.Boxes, all.Boxes[i*28:(i+1)*28])
		whole := run(t, m, picture(i, s[0], s[1]), nil, 1, s[0], s[1])
		require.InDeltaSlice(t, whole.Logits, alone.Logits, 1e-4, "picture %d", i)
		require.InDeltaSlice(t, whole.Boxes, alone.Boxes, 1e-5, "picture %d", i)
	}
	for i := range masks {
		masks[i] = 1
	}
	wrong := run(t, m, pixels, masks, len(sizes), H, W)
	require.Greater(t, math.Abs(float64(wrong.Logits[3*42]-all.Logits[3*42])), 1e-2, "the mask must matter")
}

// Positions count the picture's cells alone and end at 2π on its edge; keys are
// the mask at the cells' nearest pixels.
func TestPositionsFollowTheMask(t *testing.T) {
	const h, w, d = 4, 5, 8
	mask := make([]float32, h*w)
	small, part := make([]float32, 2*3*d), make([]float32, h*w*d)
	for y := range 2 {
		for x := range 3 {
			mask[y*w+x] = 1
		}
	}
	Positions(part, mask, h, w, d)
	Positions(small, []float32{1, 1, 1, 1, 1, 1}, 2, 3, d)
	for y := range 2 {
		for x := range 3 {
			require.Equal(t, small[(y*3+x)*d:][:d], part[(y*w+x)*d:][:d], "cell %d,%d", y, x)
		}
	}
	Positions(part, make([]float32, h*w), h, w, d) // nothing is picture
	for _, v := range part {
		require.False(t, math.IsNaN(float64(v)))
	}
	pixels := make([]uint8, 64*64)
	for i := range pixels[:33*64] {
		pixels[i] = 1
	}
	keys := make([]float32, 16)
	FeatureMask(keys, pixels, 64, 64, 4, 4)
	require.Equal(t, []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, keys)
}

func TestCellsAreTheBackbonesOwn(t *testing.T) {
	m := tiny(t, nil)
	for _, s := range [][2]int{{1, 1}, {16, 16}, {17, 31}, {33, 100}, {5, 64}} {
		p, err := m.Program(1, s[0], s[1], false, "backbone")
		require.NoError(t, err)
		h, w := m.Cells(s[0], s[1])
		require.Equal(t, []int{1, h, w, 24}, []int(p.Shape("backbone")), "%v", s)
		require.NoError(t, p.Close())
	}
}

func TestWrongSizesAreNamed(t *testing.T) {
	m := tiny(t, nil)
	for _, c := range []struct {
		pixels, masks, n, h, w int
	}{{0, 0, 0, 16, 16}, {768, 0, 1, 16, 17}, {768, 255, 1, 16, 16}, {0, 0, 1, -1, 16}} {
		var masks []uint8
		if c.masks > 0 {
			masks = make([]uint8, c.masks)
		}
		_, err := m.Run(bg, make([]float32, c.pixels), masks, c.n, c.h, c.w)
		require.ErrorContains(t, err, "detr:", "%+v", c)
	}
}

// No object, every query an object, equal scores, and values that aren't
// numbers.
func TestPostProcess(t *testing.T) {
	const queries, classes = 100, 3
	logits, boxes := make([]float32, queries*(classes+1)), make([]float32, queries*4)
	for q := range queries {
		logits[q*4+3] = 9 // no object
		copy(boxes[q*4:], []float32{0.5, 0.5, 0.2, 0.4})
	}
	require.Empty(t, PostProcess(logits, boxes, classes, 200, 100, 0.5))
	all := PostProcess(logits, boxes, classes, 200, 100, 0)
	require.Len(t, all, queries)
	for q, o := range all {
		require.Equal(t, q, o.Query)
		require.Equal(t, 0, o.Label, "the lowest of equal classes")
		require.InDeltaSlice(t, []float32{80, 30, 120, 70}, o.Box[:], 1e-3)
	}
	logits[4*7+1] = 20
	one := PostProcess(logits, boxes, classes, 200, 100, 0.9)
	require.Len(t, one, 1)
	require.Equal(t, Object{7, 1, one[0].Score, one[0].Box}, one[0])
	require.Empty(t, PostProcess(logits, boxes, classes, 200, 100, 1), "no probability is above 1")
	nan := float32(math.NaN())
	boxes[4*7+2] = nan
	logits[4*8] = nan
	for _, o := range PostProcess(logits, boxes, classes, 200, 100, 0) {
		require.NotContains(t, []int{7, 8}, o.Query)
	}
	inf := float32(math.Inf(1))
	logits[4*9+2] = inf
	for _, o := range PostProcess(logits, boxes, classes, 200, 100, 0) {
		require.False(t, math.IsNaN(float64(o.Score)))
	}
}

func TestConfigMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"d_model": 0}`: "d_model 0",
		`{"d_model": 6, "encoder_attention_heads": 2}`: "d_model 6 must be a multiple of 4",
		`{"backbone": "resnet18"}`:                     `"resnet18" is unknown; resnet50 and resnet101 are`,
		`{"dilation": true}`:                           "dilation true",
		`{"position_embedding_type": "learned"}`:       `"learned"`,
		`{"num_labels": 0}`:                            "0 labels",
		`{"id2label": {"0": "a", "5": "b"}}`:           `id2label has 2 entries, so an id "5" can't be`,
		`{"num_queries": -5}`:                          "num_queries -5",
		`{"use_timm_backbone": false, "backbone_config": {"layer_type": "dense"}}`:                                                             `layer_type "dense"`,
		`{"use_timm_backbone": false, "backbone_config": {"layer_type": "basic", "embedding_size": 8, "hidden_sizes": [8], "depths": [1, 2]}}`: "hidden_sizes [8], depths [1 2]",
		`{"use_timm_backbone": false, "backbone_config": {"layer_type": "basic", "embedding_size": 8, "hidden_sizes": [6], "depths": [1]}}`:    "hidden size 6",
		`[]`: "DETR config",
	} {
		_, err := ParseConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}
