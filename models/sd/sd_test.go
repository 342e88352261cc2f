package sd

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor/cpu"
	"syntic/tensor/devtest"
	"syntic/tensor/graph"
	"syntic/weights"
)

// tinyUNet has every kind of block and two transformer layers; %s takes more
// fields.
const tinyUNet = `{"block_out_channels": [8, 16, 16], "attention_head_dim": [2, 4, 2], "cross_attention_dim": 12, "norm_num_groups": 4,
	"down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"], "transformer_layers_per_block": 2,
	"up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"], "layers_per_block": 1, "sample_size": 8 %s}`

const tinyVAE = `{"block_out_channels": [8, 12, 16], "norm_num_groups": 4, "layers_per_block": 2,
	"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
	"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"] %s}`

func device(t testing.TB, threads int) graph.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func unet(t testing.TB, d graph.Device, more string) *UNet {
	t.Helper()
	config := fmt.Appendf(nil, tinyUNet, more)
	c, err := ParseUNet(config)
	require.NoError(t, err)
	u, err := LoadUNet(d, config, weights.Synthetic(7, nn.List(NewUNet(c), "")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, u.Close()) })
	return u
}

func vae(t testing.TB, d graph.Device, more string) *VAE {
	t.Helper()
	config := fmt.Appendf(nil, tinyVAE, more)
	c, err := ParseVAE(config)
	require.NoError(t, err)
	v, err := LoadVAE(d, config, weights.Synthetic(7, nn.List(NewVAE(c), "")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

// wave is n values in [-1,1] that depend on the seed.
func wave(seed float64, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(seed + 1.7*float64(i) + 0.01*float64(i*i%97)))
	}
	return v
}

func relErr(got, want []float32) float64 {
	var diff, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		diff += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(diff / norm)
}

// step sets prompts and predicts one step of two latents of 5×6.
func step(t testing.TB, u *UNet, prompts []float32) []float32 {
	t.Helper()
	dst := make([]float32, 2*5*6*4)
	require.NoError(t, u.SetContext(t.Context(), prompts, 2))
	require.NoError(t, u.Step(t.Context(), dst, wave(1, len(dst)), []float64{981, 20.5}, 5, 6))
	return dst
}

// TestUNetAgainstReference compares devices, thread counts, and a batch with its
// items alone.
func TestUNetAgainstReference(t *testing.T) {
	prompts := wave(3, 2*7*12)
	want := step(t, unet(t, devtest.NewRef(), ""), prompts)
	one := step(t, unet(t, device(t, 1), ""), prompts)
	require.Less(t, relErr(one, want), 3e-6)
	u := unet(t, device(t, 2), "")
	require.Equal(t, one, step(t, u, prompts), "two threads")
	alone, half := make([]float32, len(one)/2), len(one)/2
	for i, time := range []float64{981, 20.5} {
		require.NoError(t, u.SetContext(t.Context(), prompts[i*7*12:(i+1)*7*12], 1))
		require.NoError(t, u.Step(t.Context(), alone, wave(1, len(one))[i*half:(i+1)*half], []float64{time}, 5, 6))
		require.Equal(t, one[i*half:(i+1)*half], alone, "item %d alone", i)
	}
}

// TestUNetSizes compares latents that don't halve evenly, down to one cell.
func TestUNetSizes(t *testing.T) {
	r, u := unet(t, devtest.NewRef(), ""), unet(t, device(t, 2), "")
	prompts := wave(3, 12)
	require.NoError(t, r.SetContext(t.Context(), prompts, 1))
	require.NoError(t, u.SetContext(t.Context(), prompts, 1))
	for _, size := range [][2]int{{1, 1}, {1, 7}, {2, 3}, {9, 4}, {8, 8}, {13, 5}} {
		x := wave(1, size[0]*size[1]*4)
		want, got := make([]float32, len(x)), make([]float32, len(x))
		require.NoError(t, r.Step(t.Context(), want, x, []float64{500}, size[0], size[1]))
		require.NoError(t, u.Step(t.Context(), got, x, []float64{500}, size[0], size[1]))
		require.Less(t, relErr(got, want), 5e-6, "%v", size)
	}
}

// TestLinearProjection stores proj_in and proj_out as matrices: the same values
// give the same bits.
func TestLinearProjection(t *testing.T) {
	d, prompts := device(t, 2), wave(3, 2*7*12)
	require.Equal(t, step(t, unet(t, d, ""), prompts), step(t, unet(t, d, `, "use_linear_projection": true`), prompts))
}

// TestSharedLatents predicts latents that have two prompts each, as guidance does:
// to the bits of a batch that holds every latent twice.
func TestSharedLatents(t *testing.T) {
	for _, more := range []string{"", `, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"]`} {
		u, prompts := unet(t, device(t, 2), more), wave(3, 4*7*12)
		require.NoError(t, u.SetContext(t.Context(), prompts, 4))
		x, times := wave(1, 2*5*6*4), []float64{981, 20.5}
		want, got := make([]float32, 2*len(x)), make([]float32, 2*len(x))
		require.NoError(t, u.Step(t.Context(), want, slices.Concat(x, x), slices.Concat(times, times), 5, 6))
		require.NoError(t, u.Step(t.Context(), got, x, times, 5, 6))
		require.Equal(t, want, got, more)
		require.NotEqual(t, got[:len(x)], got[len(x):])
	}
}

// TestPrompts changes prompts and their lengths between steps, with programs of
// several sizes in use.
func TestPrompts(t *testing.T) {
	u := unet(t, device(t, 2), "")
	short, long := wave(3, 2*7*12), wave(4, 2*9*12)
	want := [][]float32{step(t, u, short), step(t, u, long)}
	require.NotEqual(t, want[0], want[1])
	for size := range 2 * unetPrograms { // evicts the programs above
		dst := make([]float32, 2*(size+1)*4)
		require.NoError(t, u.Step(t.Context(), dst, wave(1, len(dst)), []float64{1, 1}, 1, size+1))
	}
	again := make([]float32, len(want[1]))
	require.NoError(t, u.Step(t.Context(), again, wave(1, len(again)), []float64{981, 20.5}, 5, 6))
	require.Equal(t, want[1], again, "the prompt outlives the programs")
	require.Equal(t, want[0], step(t, u, short))
}

func TestStepAllocations(t *testing.T) {
	u := unet(t, device(t, 2), "")
	dst := step(t, u, wave(3, 2*7*12))
	x, times, ctx := wave(1, len(dst)), []float64{500, 500}, context.Background()
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = u.Step(ctx, dst, x, times, 5, 6) }))
}

func TestSinusoids(t *testing.T) {
	u := NewUNet(UNetConfig{In: 1, Out: 1, Channels: []int{4}, Down: []bool{false}, Up: []bool{false}, Layers: 1, Heads: []int{1}, Context: 1, Transformers: 1, Groups: 1, Eps: 1e-5, Flip: true})
	dst := make([]float32, 8)
	u.Sinusoids(dst, []float64{2, 981})
	for i, want := range []float64{math.Cos(2), math.Cos(0.02), math.Sin(2), math.Sin(0.02), math.Cos(981), math.Cos(9.81), math.Sin(981), math.Sin(9.81)} {
		require.InDelta(t, want, dst[i], 1e-7)
	}
	u.cfg.Flip, u.cfg.FreqShift = false, 1 // the second frequency becomes 1/10000
	u.Sinusoids(dst, []float64{2, 981})
	require.InDelta(t, math.Sin(2e-4), dst[1], 1e-9)
	require.InDelta(t, math.Cos(2), dst[2], 1e-7)
}

func TestUNetErrors(t *testing.T) {
	u, ctx := unet(t, device(t, 1), ""), t.Context()
	dst := make([]float32, 2*5*6*4)
	require.ErrorContains(t, u.Step(ctx, dst, dst, []float64{1, 1}, 5, 6), "2 latents for 0 prompts")
	require.ErrorContains(t, u.SetContext(ctx, wave(1, 25), 2), "25 values aren't 2 prompts of rows of 12")
	require.Error(t, u.SetContext(ctx, nil, 2))
	require.Error(t, u.SetContext(ctx, wave(1, 24), 0))
	require.NoError(t, u.SetContext(ctx, wave(1, 36), 3))
	require.ErrorContains(t, u.Step(ctx, dst, dst, nil, 5, 6), "0 latents for 3 prompts")
	require.ErrorContains(t, u.Step(ctx, dst, dst, []float64{1, 1}, 5, 6), "2 latents for 3 prompts")
	require.NoError(t, u.SetContext(ctx, wave(1, 24), 2))
	require.ErrorContains(t, u.Step(ctx, dst[1:], dst, []float64{1, 1}, 5, 6), "5×6")
	for _, size := range [][2]int{{0, 6}, {5, -1}, {1 << 30, 1 << 30}, {1 << 62, 1 << 62}, {1 << 10, 1 << 10}} {
		require.ErrorContains(t, u.Step(ctx, dst, dst, []float64{1, 1}, size[0], size[1]), "at once")
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, u.Step(stopped, dst, dst, []float64{1, 1}, 5, 6), context.Canceled)
}

// TestVAE compares decoding and encoding with the reference device, one thread
// with two, and a batch with its items alone.
func TestVAE(t *testing.T) {
	both := func(d graph.Device, more string) (sample, mean, logvar []float32) {
		v := vae(t, d, more)
		sample = make([]float32, 2*12*20*3)
		require.NoError(t, v.Decode(t.Context(), sample, wave(2, 2*3*5*4), 2, 3, 5))
		h, w := v.Cells(13, 22)
		mean, logvar = make([]float32, 2*h*w*4), make([]float32, 2*h*w*4)
		require.NoError(t, v.Encode(t.Context(), mean, logvar, wave(5, 2*13*22*3), 2, 13, 22))
		return sample, mean, logvar
	}
	for _, more := range []string{"", `, "use_quant_conv": false, "use_post_quant_conv": false`} {
		sample, mean, logvar := both(devtest.NewRef(), more)
		s1, m1, l1 := both(device(t, 1), more)
		require.Less(t, relErr(s1, sample), 3e-6)
		require.Less(t, relErr(m1, mean), 3e-6)
		require.Less(t, relErr(l1, logvar), 3e-6)
		s2, m2, l2 := both(device(t, 2), more)
		require.Equal(t, s1, s2)
		require.Equal(t, m1, m2)
		require.Equal(t, l1, l2)
		v, alone := vae(t, device(t, 2), more), make([]float32, len(s1)/2)
		require.NoError(t, v.Decode(t.Context(), alone, wave(2, 2*3*5*4)[3*5*4:], 1, 3, 5))
		require.Equal(t, s1[len(alone):], alone)
	}
}

// TestLogVarianceIsClamped scales the last layer so far that every value passes
// a bound.
func TestLogVarianceIsClamped(t *testing.T) {
	v := vae(t, device(t, 1), "")
	require.NoError(t, v.Quant.Bias.Load(weights.Info{Shape: []int{8}, Data: slices.Repeat([]byte{0, 0, 0, 0x44}, 8)})) // 512
	mean, logvar := make([]float32, 4), make([]float32, 4)
	require.NoError(t, v.Encode(t.Context(), mean, logvar, wave(1, 4*4*3), 1, 4, 4))
	require.Equal(t, []float32{20, 20, 20, 20}, logvar)
	require.Greater(t, mean[0], float32(400))
}

func TestDecodeAllocations(t *testing.T) {
	v, z, ctx := vae(t, device(t, 2), ""), wave(2, 3*5*4), context.Background()
	sample := make([]float32, 12*20*3)
	require.NoError(t, v.Decode(ctx, sample, z, 1, 3, 5))
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = v.Decode(ctx, sample, z, 1, 3, 5) }))
}

func TestVAEErrors(t *testing.T) {
	v, ctx := vae(t, device(t, 1), ""), t.Context()
	x := make([]float32, 4*4*3)
	require.ErrorContains(t, v.Decode(ctx, x, x, 1, 1, 1), "aren't 1 latents of 1×1")
	require.ErrorContains(t, v.Encode(ctx, x, x, x, 1, 4, 4), "aren't 1 pictures of 4×4")
	for _, size := range [][3]int{{0, 4, 4}, {1, 0, 4}, {1, 4, -4}, {1, 1 << 40, 1 << 40}, {1, 1 << 61, 4}, {1 << 40, 4, 4}} {
		require.Error(t, v.Decode(ctx, x, x, size[0], size[1], size[2]))
		require.Error(t, v.Encode(ctx, x, x, x, size[0], size[1], size[2]))
	}
	require.ErrorContains(t, v.Encode(ctx, x, x, x, 1, 3, 9), "4 pixels")
}

func TestParseDefaults(t *testing.T) {
	u, err := ParseUNet([]byte(`{"cross_attention_dim": 768, "sample_size": null, "attention_head_dim": [5, 10, 20, 20]}`))
	require.NoError(t, err)
	require.Equal(t, 64, u.Sample)
	require.Equal(t, []int{5, 10, 20, 20}, u.Heads)
	require.Equal(t, []bool{true, true, true, false}, u.Down)
	v, err := ParseVAE([]byte(`{"norm_num_groups": 32, "shift_factor": null}`))
	require.NoError(t, err)
	require.Equal(t, 0.18215, v.Scale)
	require.Zero(t, v.Shift)
}

func TestParseErrors(t *testing.T) {
	unet := func(data []byte) error { _, err := ParseUNet(data); return err }
	vae := func(data []byte) error { _, err := ParseVAE(data); return err }
	whole := func(template, more string) string { return fmt.Sprintf(template, more) }
	for _, c := range []struct {
		parse  func([]byte) error
		config string
		want   string
	}{
		{unet, `{`, "JSON"},
		{unet, whole(tinyUNet, `, "in_channels": 0`), "in_channels 0"},
		{unet, whole(tinyUNet, `, "in_channels": 99999999`), "in_channels 99999999"},
		{unet, whole(tinyUNet, `, "sample_size": []`), "sample_size"},
		{unet, whole(tinyUNet, `, "norm_eps": 0`), "norm_eps"},
		{unet, whole(tinyUNet, `, "freq_shift": 4`), "freq_shift"},
		{unet, whole(tinyUNet, `, "attention_head_dim": [2, 4]`), "2 numbers for 3 levels"},
		{unet, whole(tinyUNet, `, "attention_head_dim": 3`), "3 heads"},
		{unet, whole(tinyUNet, `, "norm_num_groups": 3`), "3 groups"},
		{unet, whole(tinyUNet, `, "layers_per_block": 33`), "layers_per_block"},
		{unet, whole(tinyUNet, `, "block_out_channels": []`), "levels"},
		{unet, whole(tinyUNet, `, "class_embed_type": "timestep"`), `class_embed_type "timestep"`},
		{unet, whole(tinyUNet, `, "center_input_sample": true`), "center_input_sample true"},
		{unet, whole(tinyUNet, `, "up_block_types": ["UpBlock2D"]`), "1 types for 3 levels"},
		{unet, strings.Replace(whole(tinyUNet, ""), `"UpBlock2D"`, `"AttnUpBlock2D"`, 1), `"AttnUpBlock2D"`},
		{vae, `[]`, "VAE"},
		{vae, whole(tinyVAE, `, "latent_channels": 0`), "latent_channels 0"},
		{vae, whole(tinyVAE, `, "scaling_factor": 0`), "scaling_factor"},
		{vae, whole(tinyVAE, `, "norm_num_groups": 3`), "groups"},
		{vae, whole(tinyVAE, `, "act_fn": "relu"`), "act_fn"},
		{vae, strings.Replace(whole(tinyVAE, ""), `"UpDecoderBlock2D"`, `"AttnUpDecoderBlock2D"`, 1), "up_block_types"},
	} {
		require.ErrorContains(t, c.parse([]byte(c.config)), c.want, c.config)
	}
}
