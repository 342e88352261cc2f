package sched_test

import (
	"fmt"

	"syntic/models/sd/sched"
)

// A picture from noise: predict stands for the model, run with and without the
// prompt.
func Example() {
	predict := func(x []float32, t float32) []float32 { return append([]float32(nil), x...) }

	config, err := sched.ParseConfig([]byte(`{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}`), "euler")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := sched.New(config, 4, sched.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	noise := &sched.Normal{Seed: 42}
	x := make([]float32, 8)
	noise.Fill(x)
	for k := range x {
		x[k] *= float32(s.InitSigma())
	}
	in, eps := make([]float32, len(x)), make([]float32, len(x))
	for i, t := range s.Timesteps() {
		s.ScaleInput(in, x, i)
		sched.Guide(eps, predict(in, t), predict(in, t), 7.5)
		s.Step(x, eps, i, noise)
	}
	fmt.Println(s.Timesteps())
	// Output: [999 666 333 0]
}
