package sd

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/conv"
	"syntic/nn"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/weights"
)

// cpuSeconds returns the processor time that the process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// devices runs a benchmark with exact convolutions and with WinogradF4.
func devices(b *testing.B, flops float64, prepare func(d graph.Device) (run func() error)) {
	for name, limit := range map[string]float64{"exact": 0, "fast": conv.ErrorF4} {
		b.Run(name, func(b *testing.B) {
			d, err := cpu.New(cpu.Options{MaxError: limit})
			require.NoError(b, err)
			defer d.Close()
			run := prepare(d)
			require.NoError(b, run())
			start := cpuSeconds(b)
			for b.Loop() {
				require.NoError(b, run())
			}
			used := (cpuSeconds(b) - start) / float64(b.N)
			b.ReportMetric(used, "cpu-s/op")
			b.ReportMetric(flops/used/1e9, "GFLOP/cpu-s")
			b.ReportMetric(float64(d.WeightBytes())/(1<<20), "weights-MB")
		})
	}
}

// BenchmarkUNetStep is a guided step of a 512×512 picture: Stable Diffusion
// v1-5's UNet on two latents of 64×64.
func BenchmarkUNetStep(b *testing.B) {
	config := []byte(`{"cross_attention_dim": 768}`)
	c, err := ParseUNet(config)
	require.NoError(b, err)
	devices(b, 1606.54688e9, func(d graph.Device) func() error {
		u, err := LoadUNet(d, config, weights.Synthetic(7, nn.List(NewUNet(c), "")))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, u.Close()) })
		require.NoError(b, u.SetContext(b.Context(), wave(3, 2*77*768), 2))
		x := wave(1, 2*64*64*4)
		dst := make([]float32, len(x))
		return func() error { return u.Step(b.Context(), dst, x, []float64{500, 500}, 64, 64) }
	})
}

// BenchmarkVAEDecode makes a 512×512 picture.
func BenchmarkVAEDecode(b *testing.B) {
	config := []byte(`{"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
		"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
		"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}`)
	c, err := ParseVAE(config)
	require.NoError(b, err)
	devices(b, 2514.518934e9, func(d graph.Device) func() error {
		v, err := LoadVAE(d, config, weights.Synthetic(7, nn.List(NewVAE(c), "")))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, v.Close()) })
		z, dst := wave(2, 64*64*4), make([]float32, 512*512*3)
		return func() error { return v.Decode(b.Context(), dst, z, 1, 64, 64) }
	})
}
