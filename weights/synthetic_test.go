package weights

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectors are the rows of golden/SPEC.md section 7.
var vectors = []struct {
	name    string
	shape   []int
	fnv, x0 uint64
	first   []uint32
	last    uint32
}{
	{"logit_scale", nil, 0xccda59a2223ea645, 0x3b2c9825b7890a65, []uint32{0x402a3055}, 0x402a3055},
	{"text_model.embeddings.token_embedding.weight", []int{49408, 512}, 0xb72fe613ce2fafc1, 0xf863059c3e914fe0, []uint32{0x3d937170, 0xbd21677b, 0x3d1a559d, 0xbb5f1439}, 0xbc6c68cb},
	{"vision_model.embeddings.class_embedding", []int{768}, 0x5b5637333d3ba2a5, 0xd8d30b48b73f88e4, []uint32{0x3d8e1e78, 0x3ca49f3a, 0x3ba047c6, 0xbcfa0efa}, 0x3cf18ebb},
	{"vision_model.pre_layrnorm.weight", []int{768}, 0xc103c8dab99eee53, 0xf7b12b6ba76baa71, []uint32{0x3f8bf81e, 0x3f72644e, 0x3f77b16a, 0x3f8a0835}, 0x3f89f528},
	{"vision_model.embeddings.patch_embedding.weight", []int{768, 3, 32, 32}, 0xdaa0b6052722f067, 0x8b4c95f5e074d5a0, []uint32{0x3b34c95f, 0x3c0da283, 0x3b0db882, 0xbbd42b08}, 0x3c19a5d4},
	{"down_blocks.0.resnets.0.conv1.weight", []int{320, 320, 3, 3}, 0x3c134f8e4aae7cb3, 0x7fc76fc456fef42d, []uint32{0xb869ac7b, 0xbaa4e723, 0xbc14f61e, 0x3cd1b293}, 0x3cbb705e},
	{"mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight", []int{10240, 1280}, 0x92b4d4e8624a5cd8, 0x23077c81ded071c7, []uint32{0xbd100799, 0xbcbe1716, 0xbc42c55e, 0xbc18f212}, 0x3d3cd596},
	{"decoder.mid_block.attentions.0.to_q.bias", []int{512}, 0x0de66ec9b13e9746, 0x47a0f6c8f5783bdc, []uint32{0xbd346351, 0x3db2b3ae, 0x3d8df33b, 0x3dba659e}, 0xbd4d2fac},
	{"model.backbone.conv_encoder.model.layer1.0.bn1.running_var", []int{64}, 0xf1cedd60e9cd6233, 0x7e81a3e2930b870e, []uint32{0x3f7fb387, 0x3f879f1e, 0x3f8152e0, 0x3f8a37b9}, 0x3f701a03},
	{"model.backbone.conv_encoder.model.layer1.0.bn1.running_mean", []int{64}, 0xcb472d8fa3afea9b, 0xc64863e7cc3cab4f, []uint32{0x3d60e7a6, 0x3bcea130, 0x3d6459af, 0xbd927b92}, 0xbbe681f6},
	{"model.query_position_embeddings.weight", []int{100, 256}, 0xd1ea65dde738dc85, 0x0f3453be4552ff85, []uint32{0xbfc35e22, 0x3f278e69, 0xbfa09873, 0xbecabe21}, 0x3f4d0d8d},
	{"decoder.transformer.h.0.attn.c_attn.weight", []int{768, 2304}, 0x7d043975f784f548, 0xbe85d811cf1f1980, []uint32{0x3c9063ea, 0xbcf84c5f, 0x3cc24706, 0xbd0078c2}, 0xbb2b4324},
	{"é.weight", []int{3, 5}, 0xa6d373c88179c3f1, 0xd631292e14ad1fb3, []uint32{0x3f058733, 0x3e8250f5, 0xbe2d3de5, 0x3d087eb5}, 0xbe573c98},
}

const globalSeed = 0x00000000c0ffee01

func TestSyntheticVectors(t *testing.T) {
	for i, want := range []uint64{0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F} {
		golden := uint64(0x9E3779B97F4A7C15)
		require.Equal(t, want, mix(uint64(i+1)*golden))
	}
	var list []Info
	for _, v := range vectors {
		list = append(list, Info{Name: v.name, Shape: v.shape})
	}
	src := Synthetic(globalSeed, list)
	require.Len(t, src.Names(), len(vectors))
	for _, v := range vectors {
		require.Equal(t, v.fnv, fnv1a64(v.name), v.name)
		require.Equal(t, v.x0, mix(fnv1a64(v.name)^globalSeed+0x9E3779B97F4A7C15), v.name)
		info := get(t, src, v.name)
		require.Equal(t, F32, info.DType)
		require.Equal(t, 4*info.Elems(), len(info.Data))
		for i, want := range v.first {
			require.Equal(t, want, le.Uint32(info.Data[4*i:]), "%s[%d]", v.name, i)
		}
		require.Equal(t, v.last, le.Uint32(info.Data[len(info.Data)-4:]), "%s, last", v.name)
	}
}

// TestSyntheticTiny compares with the tiny checkpoints Python wrote, under
// every naming.
func TestSyntheticTiny(t *testing.T) {
	for _, dir := range []string{"clip", "clip_sharded", "decap", "detr", "detr_no_timm", "sd/unet", "sd/vae", "sd/vae_deprecated_names", "sd/text_encoder"} {
		src := Canonical(open(t, shared(t, "golden", "tiny", dir)), "")
		var list []Info
		for _, n := range src.Names() {
			list = append(list, get(t, src, n))
		}
		made := Synthetic(3*globalSeed+11, list)
		require.NotEmpty(t, made.Names())
		for _, n := range made.Names() {
			require.Equal(t, f32Of(t, get(t, src, n)), f32Of(t, get(t, made, n)), "%s: %s", dir, n)
		}
	}
}

func TestSyntheticList(t *testing.T) {
	src := Synthetic(1, []Info{
		{Name: "text_model.embeddings.position_ids", DType: I64, Shape: []int{1, 77}},
		{Name: "h.0.attn.masked_bias"},
		{Name: "w", DType: BF16, Shape: []int{4, 9}},
		{Name: "w", Shape: []int{1}},
		{Name: "huge", Shape: []int{math.MaxInt, 2}},
		{Name: "empty", Shape: []int{0, 2}},
		{Name: "decoder.lm_head.weight", Shape: []int{5, 4}},
	})
	require.Equal(t, []string{"decoder.lm_head.weight", "empty", "huge", "w"}, src.Names())
	full, err := Synthetic(1, []Info{{Name: "w", Shape: []int{4, 9}}}).Get("w")
	require.NoError(t, err)
	want, err := Convert(full, BF16)
	require.NoError(t, err)
	require.Equal(t, want, get(t, src, "w"))
	require.Empty(t, get(t, src, "empty").Data)
	_, err = src.Get("huge")
	require.ErrorContains(t, err, "overflows")
	_, err = src.Get("absent")
	require.ErrorIs(t, err, ErrNotFound)
	wte, err := Synthetic(1, []Info{{Name: "decoder.transformer.wte.weight", Shape: []int{5, 4}}}).Get("decoder.transformer.wte.weight")
	require.NoError(t, err)
	require.Equal(t, wte.Data, get(t, src, "decoder.lm_head.weight").Data)
	require.NoError(t, src.Close())
}

// TestSyntheticChunks checks that splitting a large tensor over workers does not
// show: any part equals the same part computed alone.
func TestSyntheticChunks(t *testing.T) {
	src := Synthetic(5, []Info{{Name: "big.weight", Shape: []int{1 << 10, 1031}}})
	info := get(t, src, "big.weight")
	one := make([]byte, len(info.Data))
	synthRule(5, "big.weight", info.Shape).fill(one, 0)
	require.True(t, slices.Equal(one, info.Data))
}

func BenchmarkSynthetic(b *testing.B) {
	src := Synthetic(1, []Info{{Name: "w", Shape: []int{4096, 4096}}})
	b.SetBytes(4 << 24)
	for b.Loop() {
		if _, err := src.Get("w"); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleSynthetic() {
	src := Synthetic(0xc0ffee01, []Info{{Name: "vision_model.embeddings.class_embedding", Shape: []int{768}}})
	info, err := src.Get("vision_model.embeddings.class_embedding")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.DType, info.Shape, math.Float32frombits(le.Uint32(info.Data)))
	// Output: F32 [768] 0.06939405
}
