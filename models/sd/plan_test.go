package sd

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/gemm"
	"syntic/models/clip"
	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
)

// TestLeanDrawsTheSame: freeing towers in between changes no bit, and leaves no
// weights behind.
func TestLeanDrawsTheSame(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	require.NoError(t, err)
	defer dev.Close()
	p, lean := scale(t, device(t, 2)), scale(t, dev)
	lean.Lean = true
	s := Settings{Steps: 2, Guidance: 5, Init: vision.NewPicture(64, 64), Strength: 1}
	for range 2 {
		want, err := p.Draw(t.Context(), []Prompt{{Text: "a dog", Seed: 1}}, s, nil)
		require.NoError(t, err)
		got, err := lean.Draw(t.Context(), []Prompt{{Text: "a dog", Seed: 1}}, s, nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Zero(t, dev.WeightBytes())
	}
}

// TestPlanIsWhatIsTaken compares the plan with what drawing then holds.
func TestPlanIsWhatIsTaken(t *testing.T) {
	for _, storage := range []gemm.DType{gemm.F32, gemm.F16} {
		dev, err := cpu.New(cpu.Options{Threads: 2, Storage: storage})
		require.NoError(t, err)
		defer dev.Close()
		p := scale(t, dev)
		s := Settings{Steps: 2, Guidance: 5, Width: 128, Init: vision.NewPicture(64, 64), Strength: 1}
		stages, err := p.Plan(3, s)
		require.NoError(t, err)
		require.Zero(t, dev.WeightBytes(), "planning packs nothing")
		_, err = p.Draw(t.Context(), make([]Prompt, 3), s, nil)
		require.NoError(t, err)
		weights, arenas := map[any]int{}, map[string]int{}
		for _, st := range stages {
			for form, n := range st.Weights {
				weights[form] = n
			}
			arenas[st.Name] = st.Arena
		}
		sum := 0
		for _, n := range weights {
			sum += n
		}
		require.Equal(t, dev.WeightBytes(), sum)
		text := 0
		for _, size := range []int{1, 2} { // as many as a CPU takes
			one, err := p.Text.Program(size, p.Text.Config().Positions)
			require.NoError(t, err)
			text += one.ArenaBytes()
		}
		require.Equal(t, text, arenas["text encoder"])
		u := p.UNet
		step, err := u.cache.Get(u.solver.key, func() (*graph.Program, error) { return nil, errors.New("the step's program isn't kept") })
		require.NoError(t, err)
		require.Equal(t, step.ArenaBytes()+u.solver.load.ArenaBytes()+u.solver.fetch.ArenaBytes(), arenas["UNet"])
		v, err := p.VAE.DecodeProgram(1, 16, 32)
		require.NoError(t, err)
		require.Equal(t, v.ArenaBytes(), arenas["picture decoder"])
		all, lean := Resident(stages)
		require.Less(t, lean, all)
		require.Greater(t, lean, arenas["UNet"])
	}
}

// TestPlanCountsOperations of Stable Diffusion v1-5.
// Source: torch's FlopCounterMode, as peers/PEERS.md records.
func TestPlanCountsOperations(t *testing.T) {
	d := device(t, 1)
	u, err := ParseUNet([]byte(V1UNet))
	require.NoError(t, err)
	v, err := ParseVAE([]byte(V1VAE))
	require.NoError(t, err)
	text, err := clip.ParseText([]byte(V1Text))
	require.NoError(t, err)
	p := &Pipeline{dev: d, Text: clip.NewText(text), UNet: NewUNet(u), VAE: NewVAE(v), sched: []byte(V1Scheduler)}
	stages, err := p.Plan(1, Settings{Steps: 20, Guidance: 1})
	require.NoError(t, err)
	require.Equal(t, 21, stages[2].Runs)
	require.InEpsilon(t, 803.3e9, stages[1].FLOPs+stages[2].FLOPs, 0.002)
	guided, err := p.Plan(1, Settings{Steps: 20, Guidance: 7.5})
	require.NoError(t, err)
	require.InEpsilon(t, 0.974*2*803.3e9, guided[1].FLOPs+guided[2].FLOPs, 0.002, "the halves share what comes before the prompt")
	require.InEpsilon(t, 2514.5e9, stages[3].FLOPs, 0.002)
	require.InEpsilon(t, 13.3e9, stages[0].FLOPs, 0.02)
	_, err = p.Plan(1, Settings{Steps: 20, Guidance: 7.5, Width: 4096, Height: 4096})
	require.NoError(t, err)
	_, err = p.Plan(64, Settings{Steps: 20, Guidance: 7.5, Width: 8192, Height: 8192})
	require.ErrorContains(t, err, "at most")
}
