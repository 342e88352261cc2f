package weights

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckListsAll(t *testing.T) {
	src := fake{
		"a.weight":                  {Shape: []int{4, 2}},
		"b.weight":                  {Shape: []int{2, 4, 3, 3}},
		"c.weight":                  {Shape: []int{8, 4, 1, 1}},
		"d.weight":                  {Shape: []int{3, 3, 4, 8}},
		"e.weight":                  {Shape: []int{8, 3, 3, 4}},
		"f.weight":                  {Shape: []int{7}},
		"extra.one":                 {},
		"extra.two":                 {},
		"bn.num_batches_tracked":    {},
		"text_model.position_ids":   {},
		"transformer.h.0.attn.bias": {},
	}
	want := []Info{
		{Name: "a.weight", Shape: []int{2, 4}}, {Name: "b.weight", Shape: []int{4, 2, 3, 3}}, {Name: "c.weight", Shape: []int{8, 4}},
		{Name: "d.weight", Shape: []int{8, 4, 3, 3}}, {Name: "e.weight", Shape: []int{8, 4, 3, 3}}, {Name: "f.weight", Shape: []int{9}},
		{Name: "gone.one"}, {Name: "gone.two"},
	}
	err := Check(src, want)
	var e *CheckError
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"gone.one", "gone.two"}, e.Missing)
	require.Equal(t, []string{"extra.one", "extra.two"}, e.Unexpected)
	require.Equal(t, []string{
		"a.weight: is [4 2], want [2 4] (transposed: GPT-2's Conv1D stores [in, out], Linear stores [out, in])",
		"b.weight: is [2 4 3 3], want [4 2 3 3] (transposed: a ConvTranspose stores [in, out, kh, kw])",
		"c.weight: is [8 4 1 1], want [8 4] (a 1×1 convolution against a linear layer)",
		"d.weight: is [3 3 4 8], want [8 4 3 3] (TensorFlow or Flax layout [kh, kw, in, out])",
		"e.weight: is [8 3 3 4], want [8 4 3 3] (channels-last layout [out, kh, kw, in])",
		"f.weight: is [7], want [9]",
	}, e.Misshaped)
	require.Empty(t, e.Hint)
	require.ErrorContains(t, err, "2 missing, 2 unexpected, 6 of another shape")
	require.NoError(t, Check(src, append(wantOf(src, "bn.num_batches_tracked"), wantOf(src)...)))
}

// wantOf asks for exactly the tensors of src that are not ignorable, and more.
func wantOf(src fake, more ...string) []Info {
	var want []Info
	for _, n := range src.Names() {
		if !Ignorable(n) {
			want = append(want, Info{Name: n, Shape: src[n].Shape})
		}
	}
	for _, n := range more {
		want = append(want, Info{Name: n, Shape: src[n].Shape})
	}
	return want
}

func TestCheckHints(t *testing.T) {
	openai := fake{"visual.conv1.weight": {Shape: []int{768, 3, 32, 32}}}
	err := Check(openai, []Info{{Name: "model.input_projection.weight"}})
	require.ErrorContains(t, err, "hint: this looks like CLIP (OpenAI CLIP names)")
	unet := fake{"mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight": {}}
	require.ErrorContains(t, Check(unet, nil), "hint: this looks like Stable Diffusion UNet (canonical names)")
	single := fake{"model.diffusion_model.input_blocks.0.0.weight": {}}
	require.ErrorContains(t, Check(single, nil), "hint: this looks like Stable Diffusion (original single-file names)")

	var many []Info
	for i := range 30 {
		many = append(many, Info{Name: fmt.Sprintf("layer.%02d", i)})
	}
	err = Check(fake{}, many)
	for _, w := range many {
		require.ErrorContains(t, err, "missing: "+w.Name)
	}
	require.ErrorContains(t, err, "weights: the weights do not fit", "a source without a file still has a name")
}

// TestCheckComputesNothing checks a source whose tensors could not be computed.
func TestCheckComputesNothing(t *testing.T) {
	want := []Info{{Name: "visual_projection.weight", Shape: []int{1 << 40, 1 << 22}}}
	src := Rename(Synthetic(1, []Info{{Name: "visual.proj", Shape: []int{1 << 22, 1 << 40}}}), OpenAICLIP)
	require.NoError(t, Check(src, want))
	require.ErrorContains(t, Check(src, nil), "synthetic weights: the weights do not fit")
}

func TestFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	list := []Info{{Name: "ints", DType: I32, Shape: []int{1}, Data: []byte{0xff, 0xff, 0xff, 0xff}}}
	for _, d := range []DType{F32, F16, BF16, F64} {
		for what, values := range map[string][]float32{"ok": {0, -1, 65504}, "nan": {1, 2, nan}, "inf": {-inf, 0, 0}} {
			info, err := Convert(Info{Name: d.String() + "." + what, Shape: []int{3}, Data: f32Bytes(values...)}, d)
			require.NoError(t, err)
			list = append(list, info)
		}
	}
	src := fake{}
	for _, info := range list {
		src[info.Name] = info
	}
	bad, err := Finite(src)
	require.NoError(t, err)
	require.Equal(t, []string{"BF16.inf", "BF16.nan", "F16.inf", "F16.nan", "F32.inf", "F32.nan", "F64.inf", "F64.nan"}, bad)
}

// TestFinitePositions puts one NaN at every place of vectors of every length, and
// checks that the largest finite value with either sign is none.
func TestFinitePositions(t *testing.T) {
	most := map[DType][]byte{F16: {0xff, 0xfb}, BF16: {0x7f, 0x7f}, F32: {0xff, 0xff, 0x7f, 0xff}, F64: {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f}}
	for d, value := range most {
		inf, err := Convert(Info{Name: "inf", Data: f32Bytes(float32(math.Inf(-1)))}, d)
		require.NoError(t, err)
		for n := range 11 {
			data := bytes.Repeat(value, n)
			require.True(t, allFinite(Info{DType: d, Data: data}), "%v × %d", d, n)
			for i := range n {
				bad := bytes.Clone(data)
				copy(bad[i*d.Size():], inf.Data)
				require.False(t, allFinite(Info{DType: d, Data: bad}), "%v[%d] of %d", d, i, n)
			}
		}
	}
}

func ExampleCheck() {
	src := Synthetic(1, []Info{{Name: "fc.weight", Shape: []int{4, 2}}, {Name: "stray", Shape: []int{1}}})
	fmt.Println(Check(src, []Info{{Name: "fc.weight", Shape: []int{2, 4}}, {Name: "fc.bias", Shape: []int{2}}}))
	// Output:
	// synthetic weights: the weights do not fit the model: 1 missing, 1 unexpected, 1 of another shape
	//   missing: fc.bias
	//   unexpected: stray
	//   shape: fc.weight: is [4 2], want [2 4] (transposed: GPT-2's Conv1D stores [in, out], Linear stores [out, in])
}
