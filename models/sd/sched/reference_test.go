package sched

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// reference is testdata/reference.json; reference.py beside it says what it is.
type reference struct {
	Cases []struct {
		Config    json.RawMessage
		N         int
		Eta       float64
		Start     int
		Init      float64
		Timesteps []float32
		Last      []float64
	}
	Spacing []struct {
		Config json.RawMessage
		Hash   uint64 `json:",string"`
		Skip   []int
	}
	Randn []struct {
		Seed  uint64
		Calls []int
		CRC   []uint32
	}
}

func readReference(t *testing.T) *reference {
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	r := &reference{}
	require.NoError(t, json.Unmarshal(data, r))
	return r
}

// trajectory steps a latent by the specification of a step.
type trajectory struct {
	s              *Scheduler
	tensors, in, z []float32
}

func newTrajectory(s *Scheduler, x []float32) *trajectory {
	t := &trajectory{s: s, tensors: make([]float32, s.Tensors()*len(x)), in: make([]float32, len(x))}
	for k := range t.tensors { // what a trajectory hasn't made it mustn't read
		t.tensors[k] = float32(math.NaN())
	}
	copy(t.tensors, x)
	for k, v := range x {
		t.in[k] = float32(float64(v) * s.Scale(0))
	}
	if s.Noisy() {
		t.z = make([]float32, len(x))
	}
	return t
}

// x returns the latent, end the last estimate of the picture.
func (t *trajectory) x() []float32   { return t.tensors[:len(t.in)] }
func (t *trajectory) end() []float32 { return t.tensors[len(t.in):][:len(t.in)] }

func (t *trajectory) step(i int, eps []float32, noise Source) {
	if t.z != nil {
		noise.Fill(t.z)
	}
	t.s.Row(i).Run(t.tensors, t.in, eps, t.z)
}

// sample takes a latent to the end with the model eps = x/2 + t/10000.
func sample(s *Scheduler, x []float32, noise Source) []float32 {
	way, eps := newTrajectory(s, x), make([]float32, len(x))
	for i, t := range s.Timesteps() {
		for k, v := range way.in {
			eps[k] = 0.5*v + float32(0.1*float64(t)/1000)
		}
		way.step(i, eps, noise)
	}
	return way.x()
}

// relErr is ‖got-want‖/‖want‖.
func relErr(got []float32, want []float64) float64 {
	var diff, norm float64
	for k, w := range want {
		d := float64(got[k]) - w
		diff += d * d
		norm += w * w
	}
	return math.Sqrt(diff / norm)
}

func drawn(s Source, n int) []float32 {
	out := make([]float32, n)
	s.Fill(out)
	return out
}

// littleEndian returns the bytes of v.
func littleEndian(v []float32) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func TestDiffusersTrajectories(t *testing.T) {
	worst := 0.0
	cases := readReference(t).Cases
	for _, c := range cases {
		config, err := ParseConfig(c.Config, "")
		require.NoError(t, err, "%s", c.Config)
		s, err := New(config, c.N, Options{Eta: c.Eta, Start: c.Start})
		require.NoError(t, err, "%s", c.Config)
		require.Equal(t, len(c.Timesteps), len(s.Timesteps()), "%s n=%d", c.Config, c.N)
		for i, want := range c.Timesteps {
			if config.Method == Euler && config.Karras {
				require.InDelta(t, want, s.Timesteps()[i], 1e-3)
			} else {
				require.Equal(t, want, s.Timesteps()[i], "%s n=%d", c.Config, c.N)
			}
		}
		if c.Start == 0 {
			require.InEpsilon(t, c.Init, s.InitSigma(), 1e-6)
		}
		x := drawn(NewTorch(3), 16)
		if c.Start > 0 {
			s.AddNoise(x, drawn(NewTorch(5), 16), x, 0)
		} else {
			for k := range x {
				x[k] *= float32(c.Init)
			}
		}
		e := relErr(sample(s, x, NewTorch(7)), c.Last)
		worst = max(worst, e)
		require.Less(t, e, 2e-5, "%s n=%d start=%d", c.Config, c.N, c.Start)
	}
	t.Logf("%d trajectories, the worst %.2g", len(cases), worst)
}

func TestDiffusersTimesteps(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT CHECKED: the timesteps of all 1000 step counts, 10 s")
	}
	for _, r := range readReference(t).Spacing {
		config, err := ParseConfig(r.Config, "")
		require.NoError(t, err)
		h := fnv.New64a()
		for n := 1; n <= 1000; n++ {
			if slices.Contains(r.Skip, n) {
				continue
			}
			s, err := New(config, n, Options{})
			require.NoError(t, err)
			_, err = h.Write(littleEndian(s.Timesteps()))
			require.NoError(t, err)
		}
		require.Equal(t, r.Hash, h.Sum64(), "%s", r.Config)
	}
}

func TestTorchIsBitExact(t *testing.T) {
	for _, r := range readReference(t).Randn {
		g := NewTorch(r.Seed)
		for i, n := range r.Calls {
			require.Equal(t, r.CRC[i], crc32.ChecksumIEEE(littleEndian(drawn(g, n))), "seed %d, call %d of %v", r.Seed, i, r.Calls)
		}
	}
}
