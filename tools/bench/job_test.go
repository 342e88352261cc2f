package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
)

// device makes devices of one instruction set.
func device(isa string) func() (graph.Device, error) {
	return func() (graph.Device, error) { return cpu.New(cpu.Options{ISA: isa, Threads: 2}) }
}

// tiny are workloads of every kind, with odd sizes.
var tiny = []Work{
	{Name: "gemm", Kind: "gemm", M: 5, K: 37, N: 19},
	{Name: "row", Kind: "gemm", M: 1, K: 3, N: 130},
	{Name: "conv3", Kind: "conv", B: 2, C: 5, H: 9, W: 7, Co: 11, Ks: 3, S: 1},
	{Name: "conv7", Kind: "conv", B: 1, C: 3, H: 12, W: 13, Co: 4, Ks: 7, S: 2},
	{Name: "conv1", Kind: "conv", B: 1, C: 6, H: 1, W: 5, Co: 3, Ks: 1, S: 1},
	{Name: "patch", Kind: "conv", B: 1, C: 3, H: 64, W: 96, Co: 8, Ks: 32, S: 32},
	{Name: "attn", Kind: "attn", B: 2, Hd: 3, Lq: 7, Lk: 9, D: 5},
	{Name: "groupnorm", Kind: "op", Op: "groupnorm", Shape: []int{2, 64, 5, 3}},
	{Name: "layernorm", Kind: "op", Op: "layernorm", Shape: []int{3, 2, 33}},
	{Name: "softmax", Kind: "op", Op: "softmax", Shape: []int{5, 21}},
	{Name: "gelu", Kind: "op", Op: "gelu", Shape: []int{7, 11}},
	{Name: "silu", Kind: "op", Op: "silu", Shape: []int{1, 3, 5, 7}},
	{Name: "relu", Kind: "op", Op: "relu", Shape: []int{101}},
}

// TestKernels compares every kind with the reference, and checks that the
// comparison sees a result that was never computed.
func TestKernels(t *testing.T) {
	for _, table := range kernels.All() {
		for _, w := range tiny {
			t.Run(table.ISA.String()+"/"+w.Name, func(t *testing.T) {
				j, err := prepare(t.Context(), w, device(table.ISA.String()))
				require.NoError(t, err)
				require.Greater(t, j.nmse(), 1e-3, "before the run")
				first, err := j.warm(t.Context())
				require.NoError(t, err)
				require.Positive(t, first)
				require.Less(t, j.nmse(), 1e-11)
				wall, cpu, err := j.measure(t.Context(), 0, 0)
				require.NoError(t, err)
				require.Len(t, wall, 1, "one run at least")
				require.Len(t, cpu, 1)
				wall, _, err = j.measure(t.Context(), seconds(1e9), 3)
				require.NoError(t, err)
				require.Len(t, wall, 3, "no more than asked for")
				require.NoError(t, j.close())
			})
		}
	}
}

// TestErrorNotFinite checks that a NaN is never a small error.
func TestErrorNotFinite(t *testing.T) {
	w := Work{Kind: "op", Op: "relu", Shape: []int{2}}
	nan := []float32{1, float32(nan())}
	require.True(t, w.opError(nan, []float32{1, 2}, nil, nil) > 1)
	require.Zero(t, w.opError([]float32{0, 0}, []float32{-1, -2}, nil, nil), "a reference of zeros")
	require.Equal(t, 4.0, w.opError([]float32{2, 0}, []float32{-1, -2}, nil, nil))
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestEvenly(t *testing.T) {
	require.Equal(t, []int{0}, evenly(7, 0.2))
	require.Equal(t, []int{0, 6}, evenly(7, 2.9))
	require.Equal(t, []int{0, 1, 2}, evenly(3, 1e9))
	require.Equal(t, []int{0}, evenly(1, 5))
}

// Small models of the published kinds.
const (
	tinyCLIP = `{"projection_dim": 8,
		"vision_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
		"text_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50, "eos_token_id": 49, "max_position_embeddings": 12}}`
	tinyDETR = `{"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
		"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_queries": 5, "num_labels": 3, "use_timm_backbone": false,
		"backbone_config": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}}`
	tinyUNet = `{"cross_attention_dim": 16, "block_out_channels": [8, 16], "layers_per_block": 1, "attention_head_dim": 2, "norm_num_groups": 4,
		"down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}`
	tinyVAE = `{"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
		"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}`
	tinyDecoder = `{"vocab_size": 50, "n_positions": 24, "n_embd": 16, "n_layer": 2, "n_head": 2}`
)

func TestModels(t *testing.T) {
	ctx := t.Context()
	for name, build := range map[string]func(d graph.Device) (*job, error){
		"vision": func(d graph.Device) (*job, error) {
			return prepareCLIP(d, Work{Model: "clip_vision", Bt: 2}, tinyCLIP)
		},
		"text": func(d graph.Device) (*job, error) {
			return prepareCLIP(d, Work{Model: "clip_text", Bt: 3, Len: 9}, tinyCLIP)
		},
		"detr": func(d graph.Device) (*job, error) {
			return prepareDETR(d, Work{Model: "detr", Bt: 1}, tinyDETR, 40, 33)
		},
		"unet": func(d graph.Device) (*job, error) {
			return prepareUNet(ctx, d, Work{Model: "unet", Bt: 2}, tinyUNet, 8)
		},
		"guided": func(d graph.Device) (*job, error) {
			return prepareUNet(ctx, d, Work{Model: "unet_guided", Bt: 2}, tinyUNet, 8)
		},
		"vae": func(d graph.Device) (*job, error) {
			return prepareVAE(d, Work{Model: "vae_decoder", Bt: 1}, tinyVAE, 4)
		},
		"greedy": func(d graph.Device) (*job, error) { return prepareGreedy(ctx, d, Work{Bt: 2}, tinyDecoder) },
	} {
		t.Run(name, func(t *testing.T) {
			d, err := device("")()
			require.NoError(t, err)
			j, err := build(d)
			require.NoError(t, err)
			j.dev = d
			require.NoError(t, j.run(ctx))
			require.NoError(t, j.run(ctx))
			require.NoError(t, j.close())
		})
	}
}

func TestModelErrors(t *testing.T) {
	for _, c := range []struct {
		w    Work
		want string
	}{
		{Work{Kind: "model", Model: "gpt", Bt: 2}, `"gpt" isn't built yet`},
		{Work{Kind: "model", Model: "clip_text", Bt: 1, Len: 78}, "2 to 77"},
		{Work{Kind: "model", Model: "clip_text", Bt: 1, Len: 1}, "2 to 77"},
	} {
		_, err := prepare(t.Context(), c.w, device(""))
		require.ErrorContains(t, err, c.want)
	}
}
