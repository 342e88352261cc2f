package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"

	"syntic/kernels/elem"
	"syntic/models/sd/sched"
)

// schedPlayer plays the cases of the diffusion schedulers; it needs no device.
type schedPlayer struct{ config []byte }

func openSched(s *suite, e *entry) (player, error) {
	config, err := os.ReadFile(s.path(e.Config))
	return schedPlayer{config}, err
}

func (schedPlayer) close() error { return nil }

func (p schedPlayer) play(_ context.Context, c *testCase) (map[string]array, error) {
	var f struct {
		Class string                     `json:"scheduler"`
		Other map[string]json.RawMessage `json:"kwargs"`
		Steps int                        `json:"steps"`
		Eta   float64                    `json:"eta"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	config, err := p.swap(f.Class, f.Other)
	if err != nil {
		return nil, err
	}
	has := func(output string) bool { _, ok := c.Outputs[output]; return ok }
	switch {
	case f.Class != "":
		return schedTrajectory(c, config, f.Steps, f.Eta)
	case has("alphas_cumprod"):
		alphas := config.AlphasCumprod()
		return map[string]array{"alphas_cumprod": values(rounded(alphas), len(alphas))}, nil
	case has("noisy"):
		return schedNoise(c, config)
	}
	return nil, fmt.Errorf("the scheduler case %q isn't built yet", c.ID)
}

// swap returns the configuration with another class and other values, as
// diffusers' from_config makes it.
func (p schedPlayer) swap(class string, other map[string]json.RawMessage) (sched.Config, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(p.config, &fields); err != nil {
		return sched.Config{}, err
	}
	if class != "" {
		name, err := json.Marshal(class)
		if err != nil {
			return sched.Config{}, err
		}
		fields["_class_name"] = name
	}
	maps.Copy(fields, other)
	data, err := json.Marshal(fields)
	if err != nil {
		return sched.Config{}, err
	}
	return sched.ParseConfig(data, "")
}

// schedTrajectory steps with the model eps = x/2 + t/10000, x being what a model
// would read. Source: golden/scripts/gen_sched.py.
func schedTrajectory(c *testCase, config sched.Config, n int, eta float64) (map[string]array, error) {
	s, err := sched.New(config, n, sched.Options{Eta: eta})
	if err != nil {
		return nil, err
	}
	x, shape, err := c.floats("latent", 4)
	if err != nil {
		return nil, err
	}
	var noise []float32
	timesteps := s.Timesteps()
	if s.Noisy() {
		if noise, _, err = c.floats("noise", 5); err != nil {
			return nil, err
		}
		if len(noise) < len(x)*len(timesteps) {
			return nil, fmt.Errorf("%d values of noise for %d steps of %d", len(noise), len(timesteps), len(x))
		}
	}
	tensors, in, eps, all := make([]float32, s.Tensors()*len(x)), make([]float32, len(x)), make([]float32, len(x)), []float32(nil)
	for k, v := range x {
		tensors[k] = v * float32(s.InitSigma())
		in[k] = float32(float64(tensors[k]) * s.Scale(0))
	}
	for i, t := range timesteps {
		for k, v := range in {
			eps[k] = 0.5*v + float32(0.1*float64(t)/1000)
		}
		var z []float32
		if s.Noisy() {
			z, noise = noise[:len(x)], noise[len(x):]
		}
		elem.Multistep(s.Row(i), tensors, in, eps, z, len(x), 0, len(x))
		all = append(all, tensors[:len(x)]...)
	}
	got := map[string]array{
		"timesteps":  values(timesteps, len(timesteps)),
		"trajectory": values(all, append([]int{len(timesteps)}, shape...)...),
	}
	if levels := s.Sigmas(); levels != nil {
		got["sigmas"] = values(rounded(levels), len(levels))
	}
	return got, nil
}

// schedNoise adds noise to a picture per timestep.
func schedNoise(c *testCase, config sched.Config) (map[string]array, error) {
	x0, shape, err := c.floats("latent", 4)
	if err != nil {
		return nil, err
	}
	noise, _, err := c.floats("noise", 4)
	if err != nil {
		return nil, err
	}
	t, err := c.input("timesteps")
	if err != nil {
		return nil, err
	}
	at, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	alphas := config.AlphasCumprod()
	if len(noise) != len(x0) || len(at) != shape[0] {
		return nil, fmt.Errorf("latent, noise and timesteps don't fit")
	}
	noisy, part := make([]float32, len(x0)), len(x0)/max(len(at), 1)
	for i, t := range at {
		if t < 0 || t >= int64(len(alphas)) {
			return nil, fmt.Errorf("timestep %d of %d", t, len(alphas))
		}
		from, to := i*part, (i+1)*part
		sched.AddNoise(noisy[from:to], x0[from:to], noise[from:to], alphas[t])
	}
	return map[string]array{"noisy": values(noisy, shape...)}, nil
}

// rounded rounds to float32.
func rounded(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
