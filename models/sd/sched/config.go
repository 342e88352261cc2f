package sched

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Method is a family of schedulers.
type Method string

// The families, by the names that a user gives.
const (
	PNDM   Method = "pndm"    // pseudo linear multistep; Stable Diffusion v1's own
	DDIM   Method = "ddim"    // deterministic at eta 0, ancestral at eta 1
	Euler  Method = "euler"   // Euler's method on the probability flow
	EulerA Method = "euler-a" // Euler ancestral
	DPM2M  Method = "dpm++2m" // DPM-Solver++, second order, multistep
)

// classes are the families' names in a scheduler_config.json.
var classes = map[Method]string{
	PNDM: "PNDMScheduler", DDIM: "DDIMScheduler", Euler: "EulerDiscreteScheduler",
	EulerA: "EulerAncestralDiscreteScheduler", DPM2M: "DPMSolverMultistepScheduler",
}

// Names lists what ParseConfig accepts as a scheduler's name.
func Names() []string {
	return []string{"pndm", "ddim", "euler", "euler-karras", "euler-a", "dpm++2m", "dpm++2m-karras"}
}

// Values of Config's textual fields.
const (
	Linear       = "linear"        // BetaSchedule
	ScaledLinear = "scaled_linear" // BetaSchedule: linear in the square root
	Epsilon      = "epsilon"       // Prediction: the noise
	VPrediction  = "v_prediction"  // Prediction: the velocity
	Leading      = "leading"       // Spacing
	Linspace     = "linspace"      // Spacing
	Trailing     = "trailing"      // Spacing
	Zero         = "zero"          // FinalSigma
	SigmaMin     = "sigma_min"     // FinalSigma
	Midpoint     = "midpoint"      // SolverType
	Heun         = "heun"          // SolverType
)

// Config is the content of a scheduler_config.json, as far as the method has it.
type Config struct {
	Method       Method  `json:"-"`
	TrainSteps   int     `json:"num_train_timesteps"`
	BetaStart    float64 `json:"beta_start"`
	BetaEnd      float64 `json:"beta_end"`
	BetaSchedule string  `json:"beta_schedule"`
	Prediction   string  `json:"prediction_type"`
	Spacing      string  `json:"timestep_spacing"`
	StepsOffset  int     `json:"steps_offset"`

	AlphaToOne bool    `json:"set_alpha_to_one"`  // DDIM, PNDM
	SkipPRK    bool    `json:"skip_prk_steps"`    // PNDM: begin without Runge-Kutta
	ClipSample bool    `json:"clip_sample"`       // DDIM
	ClipRange  float64 `json:"clip_sample_range"` // DDIM

	Karras     bool   `json:"use_karras_sigmas"` // Euler, DPM2M
	FinalSigma string `json:"final_sigmas_type"` // Euler, DPM2M

	SolverOrder     int    `json:"solver_order"`      // DPM2M: 1 or 2
	SolverType      string `json:"solver_type"`       // DPM2M
	LowerOrderFinal bool   `json:"lower_order_final"` // DPM2M: end in first order below 15 steps
	EulerAtFinal    bool   `json:"euler_at_final"`    // DPM2M: end in first order always
}

// defaults are those of diffusers' classes.
// Source: diffusers 0.42 schedulers/scheduling_{pndm,ddim,euler_discrete,euler_ancestral_discrete,dpmsolver_multistep}.py.
func defaults(m Method) Config {
	c := Config{
		Method: m, TrainSteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, BetaSchedule: Linear, Prediction: Epsilon,
		Spacing: Linspace, ClipRange: 1, FinalSigma: Zero, SolverOrder: 2, SolverType: Midpoint, LowerOrderFinal: true,
	}
	if m == DDIM || m == PNDM {
		c.Spacing = Leading
	}
	c.AlphaToOne, c.ClipSample = m == DDIM, m == DDIM
	return c
}

// ParseConfig reads a scheduler_config.json and checks it. name is one of
// [Names], to sample with another scheduler than the file's own, or "". What the
// file doesn't say has the default of diffusers' class, and what the class
// doesn't have is ignored, as when diffusers swaps schedulers.
//
// Errors: JSON that can't be read, an unknown scheduler, values out of range,
// options that aren't supported.
func ParseConfig(data []byte, name string) (Config, error) {
	data = pythonNumbers(data)
	method, err := methodOf(data, name)
	if err != nil {
		return Config{}, fmt.Errorf("scheduler config: %w", err)
	}
	c := defaults(method)
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("scheduler config: %w", err)
	}
	if strings.HasSuffix(name, "-karras") {
		c.Karras = true
	} else if method != Euler && method != DPM2M {
		c.Karras = false
	}
	if slices.Contains([]string{"logrho", "bh1", "bh2"}, c.SolverType) { // other solvers' words, as diffusers reads them
		c.SolverType = Midpoint
	}
	if err := foreign(data, method); err != nil {
		return Config{}, fmt.Errorf("scheduler config: %w", err)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("scheduler config: %w", err)
	}
	return c, nil
}

// methodOf returns the method that name says or, without one, the file.
func methodOf(data []byte, name string) (Method, error) {
	if name != "" {
		if !slices.Contains(Names(), name) {
			return "", fmt.Errorf("the scheduler %q is unknown; choose one of %s", name, strings.Join(Names(), ", "))
		}
		return Method(strings.TrimSuffix(name, "-karras")), nil
	}
	var head struct {
		Class string `json:"_class_name"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", err
	}
	for m, class := range classes {
		if class == head.Class {
			return m, nil
		}
	}
	return "", fmt.Errorf("_class_name %q is unknown; choose a scheduler by name: %s", head.Class, strings.Join(Names(), ", "))
}

// foreign refuses options that change the result and that we don't have.
func foreign(data []byte, m Method) error {
	var o struct {
		TrainedBetas  json.RawMessage `json:"trained_betas"`
		RescaleBetas  bool            `json:"rescale_betas_zero_snr"`
		Thresholding  bool            `json:"thresholding"`
		Exponential   bool            `json:"use_exponential_sigmas"`
		Beta          bool            `json:"use_beta_sigmas"`
		Lu            bool            `json:"use_lu_lambdas"`
		Flow          bool            `json:"use_flow_sigmas"`
		Algorithm     string          `json:"algorithm_type"`
		Variance      string          `json:"variance_type"`
		Interpolation string          `json:"interpolation_type"`
		TimestepType  string          `json:"timestep_type"`
		LambdaMin     json.Number     `json:"lambda_min_clipped"`
		SigmaMin      json.Number     `json:"sigma_min"`
		SigmaMax      json.Number     `json:"sigma_max"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	lambda, err := strconv.ParseFloat(string(o.LambdaMin), 64)
	lambdaSet := o.LambdaMin != "" && (!errors.Is(err, strconv.ErrRange) || lambda > 0)
	for _, r := range []struct {
		set     bool
		name    string
		methods []Method // nil means all
	}{
		{len(o.TrainedBetas) > 0 && string(o.TrainedBetas) != "null", "trained_betas", nil},
		{o.RescaleBetas, "rescale_betas_zero_snr", []Method{DDIM, Euler, EulerA, DPM2M}},
		{o.Thresholding, "thresholding", []Method{DDIM, DPM2M}},
		{o.Exponential, "use_exponential_sigmas", []Method{Euler, DPM2M}},
		{o.Beta, "use_beta_sigmas", []Method{Euler, DPM2M}},
		{o.SigmaMin != "" || o.SigmaMax != "", "sigma_min or sigma_max", []Method{Euler, DPM2M}},
		{o.Interpolation != "" && o.Interpolation != "linear", "interpolation_type " + strconv.Quote(o.Interpolation), []Method{Euler}},
		{o.TimestepType != "" && o.TimestepType != "discrete", "timestep_type " + strconv.Quote(o.TimestepType), []Method{Euler}},
		{o.Lu, "use_lu_lambdas", []Method{DPM2M}},
		{o.Flow, "use_flow_sigmas", []Method{DPM2M}},
		{o.Variance != "", "variance_type " + strconv.Quote(o.Variance), []Method{DPM2M}},
		{lambdaSet, "lambda_min_clipped", []Method{DPM2M}},
		{o.Algorithm != "" && o.Algorithm != "dpmsolver++" && o.Algorithm != "deis", "algorithm_type " + strconv.Quote(o.Algorithm), []Method{DPM2M}},
	} {
		if r.set && (r.methods == nil || slices.Contains(r.methods, m)) {
			return fmt.Errorf("%s isn't supported by %s", r.name, m)
		}
	}
	return nil
}

// The ranges accepted, to keep a corrupt file from asking for absurd amounts of
// memory or for a schedule whose noise or signal vanishes in float64.
const (
	maxTrainSteps = 100_000
	minBeta       = 1e-6
)

func (c *Config) check() error {
	one := func(name, value string, allowed ...string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		return fmt.Errorf("%s %q isn't supported; it may be %s", name, value, strings.Join(allowed, ", "))
	}
	if err := errors.Join(
		one("beta_schedule", c.BetaSchedule, Linear, ScaledLinear),
		one("prediction_type", c.Prediction, Epsilon, VPrediction),
		one("timestep_spacing", c.Spacing, Leading, Linspace, Trailing),
		one("final_sigmas_type", c.FinalSigma, Zero, SigmaMin),
		one("solver_type", c.SolverType, Midpoint, Heun),
	); err != nil {
		return err
	}
	switch {
	case classes[c.Method] == "":
		return fmt.Errorf("the scheduler %q is unknown", c.Method)
	case c.TrainSteps < 2 || c.TrainSteps > maxTrainSteps:
		return fmt.Errorf("num_train_timesteps %d isn't within 2 to %d", c.TrainSteps, maxTrainSteps)
	case !(c.BetaStart >= minBeta && c.BetaStart <= c.BetaEnd && c.BetaEnd < 1):
		return fmt.Errorf("beta_start %g and beta_end %g aren't %g ≤ start ≤ end < 1", c.BetaStart, c.BetaEnd, minBeta)
	case c.StepsOffset < 0 || c.StepsOffset >= c.TrainSteps:
		return fmt.Errorf("steps_offset %d isn't within 0 to %d", c.StepsOffset, c.TrainSteps-1)
	case c.ClipSample && !(c.ClipRange > 0 && !math.IsInf(c.ClipRange, 0)):
		return fmt.Errorf("clip_sample_range %g isn't positive", c.ClipRange)
	case c.SolverOrder < 1 || c.SolverOrder > 2:
		return fmt.Errorf("solver_order %d isn't supported; it may be 1 or 2", c.SolverOrder)
	case c.Karras && c.Method != Euler && c.Method != DPM2M:
		return fmt.Errorf("%s has no Karras sigmas", c.Method)
	}
	if a := c.AlphasCumprod(); a[len(a)-1] < 1e-12 {
		return fmt.Errorf("after %d steps from beta %g to %g no signal is left (%g)", c.TrainSteps, c.BetaStart, c.BetaEnd, a[len(a)-1])
	}
	return nil
}

// pythonNumbers writes the infinities of Python's json module, which diffusers
// saves (lambda_min_clipped is -Infinity in most DPM-Solver++ files), as numbers
// that JSON has and that overflow.
func pythonNumbers(data []byte) []byte {
	word := []byte("Infinity")
	if !bytes.Contains(data, word) {
		return data
	}
	out := make([]byte, 0, len(data))
	for quoted := false; len(data) > 0; {
		switch {
		case quoted && data[0] == '\\' && len(data) > 1:
			out, data = append(out, data[:2]...), data[2:]
			continue
		case data[0] == '"':
			quoted = !quoted
		case !quoted && bytes.HasPrefix(data, word):
			out, data = append(out, "1e999"...), data[len(word):]
			continue
		}
		out, data = append(out, data[0]), data[1:]
	}
	return out
}
