package sched

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig([]byte(`{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity,
		"solver_type": "bh2", "variance_type": null, "note": "up to \"Infinity", "use_karras_sigmas": true}`), "")
	require.NoError(t, err)
	require.Equal(t, DPM2M, c.Method)
	require.True(t, c.Karras && c.LowerOrderFinal)
	require.Equal(t, Midpoint, c.SolverType)
	require.Equal(t, Linspace, c.Spacing)

	c, err = ParseConfig([]byte(`{"_class_name": "UniPCMultistepScheduler", "use_karras_sigmas": true, "thresholding": true}`), "euler-a")
	require.NoError(t, err)
	require.Equal(t, EulerA, c.Method)
	require.False(t, c.Karras)

	c, err = ParseConfig([]byte(`{}`), "ddim")
	require.NoError(t, err)
	require.True(t, c.ClipSample && c.AlphaToOne, "diffusers' defaults")
	for _, name := range Names() {
		c, err = ParseConfig([]byte(`{}`), name)
		require.NoError(t, err)
		require.Equal(t, len(name) > 7 && name[len(name)-7:] == "-karras", c.Karras)
	}
}

func TestWhatParseConfigRefuses(t *testing.T) {
	for _, c := range []struct{ name, config, says string }{
		{"", ``, "unexpected end"},
		{"", `{}`, `_class_name "" is unknown; choose a scheduler by name: pndm, ddim`},
		{"", `{"_class_name": "LMSDiscreteScheduler"}`, `"LMSDiscreteScheduler" is unknown`},
		{"heun", `{}`, `"heun" is unknown; choose one of pndm`},
		{"ddim-karras", `{}`, "unknown"},
		{"ddim", `[]`, "cannot unmarshal array"},
		{"ddim", `{"beta_start": "x"}`, "beta_start"},
		{"ddim", `{"beta_start": 0}`, "beta_start 0"},
		{"ddim", `{"beta_start": 0.5, "beta_end": 0.1}`, "beta_start 0.5"},
		{"ddim", `{"beta_end": 1}`, "beta_end 1"},
		{"ddim", `{"beta_end": Infinity}`, "1e999"},
		{"ddim", `{"beta_end": NaN}`, "invalid character"},
		{"ddim", `{"beta_start": 0.9, "beta_end": 0.99}`, "no signal is left"},
		{"ddim", `{"num_train_timesteps": 1}`, "num_train_timesteps 1"},
		{"ddim", `{"num_train_timesteps": 9000000000}`, "num_train_timesteps 9000000000"},
		{"ddim", `{"steps_offset": -1}`, "steps_offset -1"},
		{"ddim", `{"steps_offset": 1000}`, "steps_offset 1000"},
		{"ddim", `{"clip_sample_range": 0}`, "clip_sample_range 0"},
		{"ddim", `{"thresholding": true}`, "thresholding isn't supported by ddim"},
		{"ddim", `{"prediction_type": "sample"}`, `prediction_type "sample" isn't supported; it may be epsilon, v_prediction`},
		{"ddim", `{"timestep_spacing": "karras"}`, "timestep_spacing"},
		{"ddim", `{"beta_schedule": "squaredcos_cap_v2"}`, "beta_schedule"},
		{"ddim", `{"trained_betas": [0.1]}`, "trained_betas"},
		{"ddim", `{"rescale_betas_zero_snr": true}`, "rescale_betas_zero_snr"},
		{"euler", `{"final_sigmas_type": "last"}`, "final_sigmas_type"},
		{"euler", `{"sigma_min": 0.1}`, "sigma_min"},
		{"euler", `{"timestep_type": "continuous"}`, "continuous"},
		{"dpm++2m", `{"solver_order": 3}`, "solver_order 3"},
		{"dpm++2m", `{"solver_type": "x"}`, "solver_type"},
		{"dpm++2m", `{"algorithm_type": "sde-dpmsolver++"}`, "sde-dpmsolver++"},
		{"dpm++2m", `{"lambda_min_clipped": -5.1}`, "lambda_min_clipped"},
	} {
		_, err := ParseConfig([]byte(c.config), c.name)
		require.ErrorContains(t, err, c.says, c.config)
		require.ErrorContains(t, err, "scheduler config:")
	}
}

// FuzzParseConfig checks that what is accepted makes schedulers that stay finite
// and whose timesteps lie where the model was trained, for any step count.
func FuzzParseConfig(f *testing.F) {
	for i, class := range []string{"PNDMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"} {
		f.Add([]byte(fmt.Sprintf(`{"_class_name": %q, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": %d,
			"prediction_type": "v_prediction", "timestep_spacing": "trailing", "skip_prk_steps": true, "use_karras_sigmas": true, "lambda_min_clipped": -Infinity}`, class, i)), uint8(0), 20)
		f.Add([]byte(fmt.Sprintf(`{"_class_name": %q, "num_train_timesteps": 50, "solver_type": "heun", "final_sigmas_type": "sigma_min", "clip_sample": false}`, class)), uint8(i), 49)
	}
	f.Fuzz(func(t *testing.T, data []byte, pick uint8, n int) {
		name := append([]string{""}, Names()...)[int(pick)%(len(Names())+1)]
		c, err := ParseConfig(data, name)
		if err != nil {
			return
		}
		s, err := New(c, n, Options{})
		if err != nil {
			return
		}
		way, noise := newTrajectory(s, []float32{1, -1}), &Normal{}
		x := way.x()
		out := make([]float32, len(x))
		for i, at := range s.Timesteps() {
			if !(at >= 0 && at <= float32(c.TrainSteps-1)) {
				t.Fatalf("timestep %g of %d", at, c.TrainSteps)
			}
			s.AddNoise(out, x, way.in, i)
			way.step(i, []float32{0, 0}, noise)
		}
		for _, v := range x {
			if math.IsNaN(float64(v)) {
				t.Fatalf("%+v with %d steps ends in %v", c, n, x)
			}
		}
	})
}
