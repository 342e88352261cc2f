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
	const n = 8
	tensors, in := make([]float32, s.Tensors()*n), make([]float32, 2*n) // of in, a half without the prompt and one with it
	x := tensors[:n]
	noise := &sched.Normal{Seed: 42}
	noise.Fill(x)
	for k := range x {
		x[k] *= float32(s.InitSigma())
		in[k] = float32(s.Scale(0)) * x[k]
		in[n+k] = in[k]
	}
	for i, t := range s.Timesteps() {
		row := *s.Row(i)
		row.Guidance = 7.5
		row.Run(tensors, in, predict(in, t), nil)
	}
	fmt.Println(s.Timesteps())
	// Output: [999 666 333 0]
}
