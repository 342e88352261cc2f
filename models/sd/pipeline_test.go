package sd

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/models/sd/sched"
	"syntic/models/vision"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/tools/world"
	"syntic/weights"
)

// scale loads the scale model that is part of the program.
func scale(t testing.TB, d graph.Device) *Pipeline {
	p, err := Load(d, world.Model())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

var settings = Settings{Steps: 3, Guidance: 5}

// draw returns the latents of a drawing.
func draw(t testing.TB, p *Pipeline, prompts []Prompt, s Settings) []float32 {
	t.Helper()
	d, err := p.Start(t.Context(), prompts, s)
	require.NoError(t, err)
	for range d.Steps() {
		require.NoError(t, d.Step(t.Context()))
	}
	return latents(t, d)
}

// latents returns a drawing's latents.
func latents(t testing.TB, d *Drawing) []float32 {
	t.Helper()
	x, err := d.Latents(t.Context())
	require.NoError(t, err)
	return slices.Clone(x)
}

// TestPictureDependsOnItsPromptAlone: the same bits on any thread count, alone
// or within a batch, with every scheduler.
func TestPictureDependsOnItsPromptAlone(t *testing.T) {
	prompts := []Prompt{{Text: "a dog", Seed: 7}, {Text: "two cats on a table", Negative: "a dog", Seed: 1 << 40}, {Seed: 3}}
	one, two := scale(t, device(t, 1)), scale(t, device(t, 2))
	for _, name := range sched.Names() {
		s := settings
		s.Scheduler = name
		if name == "pndm" {
			s.Steps = 4
		}
		if name == "ddim" {
			s.Eta = 1
		}
		all := draw(t, one, prompts, s)
		require.Equal(t, all, draw(t, two, prompts, s), name)
		part := len(all) / len(prompts)
		for i, q := range prompts {
			require.Equal(t, all[i*part:(i+1)*part], draw(t, two, []Prompt{q}, s), "%s: picture %d alone", name, i)
		}
	}
}

// TestInstructionSetsAgree compares whole drawings between instruction sets.
func TestInstructionSetsAgree(t *testing.T) {
	fast := draw(t, scale(t, device(t, 2)), []Prompt{{Text: "a red car", Seed: 5}}, settings)
	d, err := cpu.New(cpu.Options{ISA: "portable"})
	require.NoError(t, err)
	defer d.Close()
	require.Less(t, relErr(fast, draw(t, scale(t, d), []Prompt{{Text: "a red car", Seed: 5}}, settings)), 1e-4)
}

// TestTorchNoise begins with what torch.randn(1,4,16,16) gives for seed 1234.
func TestTorchNoise(t *testing.T) {
	p := scale(t, device(t, 1))
	s := settings
	s.Torch = true
	d, err := p.Start(t.Context(), []Prompt{{Text: "a dog", Seed: 1234}}, s)
	require.NoError(t, err)
	want := make([]float32, 4*16*16)
	sched.NewTorch(1234).Fill(want)
	require.Equal(t, nhwc(want, []int{1, 4, 16, 16}), latents(t, d))
}

// TestGuidanceUpToOneIsNone: with half the work, the prompt's own prediction.
func TestGuidanceUpToOneIsNone(t *testing.T) {
	p, q := scale(t, device(t, 2)), []Prompt{{Text: "a pizza", Negative: "a cat", Seed: 2}}
	s := settings
	s.Guidance = 1
	one := draw(t, p, q, s)
	s.Guidance = 0
	require.Equal(t, one, draw(t, p, q, s))
	q[0].Negative = ""
	require.Equal(t, one, draw(t, p, q, s))
	s.Guidance = 1.0001 // the same but for rounding, by the way of both halves
	require.Less(t, relErr(draw(t, p, q, s), one), 1e-3)
}

func TestDrawingAllocations(t *testing.T) {
	for _, name := range []string{"ddim", "pndm", "euler-a", "dpm++2m"} {
		p := scale(t, device(t, 2))
		s := Settings{Steps: 30, Guidance: 5, Scheduler: name}
		d, err := p.Start(t.Context(), []Prompt{{Text: "a dog"}, {Text: "a cat"}}, s)
		require.NoError(t, err)
		require.NoError(t, d.Step(t.Context()))
		ctx := context.Background()
		require.Zero(t, testing.AllocsPerRun(20, func() { err = d.Step(ctx) }), name)
		require.NoError(t, err)
	}
}

// TestInitPicture: little strength stays near the picture, all of it doesn't;
// the size is the picture's, or what was asked for.
func TestInitPicture(t *testing.T) {
	p := scale(t, device(t, 2))
	first, err := p.Draw(t.Context(), []Prompt{{Text: "a red car on the street", Seed: 4}}, Settings{Steps: 20, Guidance: 5}, nil)
	require.NoError(t, err)
	distance := func(strength float64) float64 {
		s := Settings{Steps: 10, Guidance: 5, Init: first[0], Strength: strength}
		steps := 0
		got, err := p.Draw(t.Context(), []Prompt{{Text: "a red car on the street", Seed: 9}}, s, func(int, int) { steps++ })
		require.NoError(t, err)
		require.Equal(t, int(10*strength), steps)
		sum := 0.0
		for i, b := range got[0].Pix {
			sum += math.Abs(float64(b) - float64(first[0].Pix[i]))
		}
		return sum / float64(len(first[0].Pix))
	}
	near, far := distance(0.1), distance(1)
	require.Less(t, near, 20.0)
	require.Greater(t, far, near+5)
	wide, err := p.Draw(t.Context(), []Prompt{{}}, Settings{Steps: 2, Guidance: 5, Init: vision.NewPicture(101, 43), Strength: 1}, nil)
	require.NoError(t, err)
	require.Equal(t, [2]int{100, 40}, [2]int{wide[0].W, wide[0].H})
	other, err := p.Draw(t.Context(), []Prompt{{}}, Settings{Steps: 2, Guidance: 5, Init: vision.NewPicture(101, 43), Strength: 1, Width: 64, Height: 96}, nil)
	require.NoError(t, err)
	require.Equal(t, [2]int{64, 96}, [2]int{other[0].W, other[0].H})
}

// TestInitNoiseDrawsInOrder: as in diffusers, a generator gives the latent's
// sample first and the noise after it.
func TestInitNoiseDrawsInOrder(t *testing.T) {
	p := scale(t, device(t, 2))
	d, err := p.Start(t.Context(), []Prompt{{Seed: 11}}, Settings{Steps: 10, Guidance: 5, Init: vision.NewPicture(64, 64), Strength: 0.5, Torch: true})
	require.NoError(t, err)
	g := sched.NewTorch(11)
	sample, fresh := make([]float32, 4*16*16), make([]float32, 4*16*16)
	g.Fill(sample)
	g.Fill(fresh)
	pixels := slices.Repeat([]float32{-1}, 64*64*3)
	mean, logvar := make([]float32, 1024), make([]float32, 1024)
	require.NoError(t, p.VAE.Encode(t.Context(), mean, logvar, pixels, 1, 64, 64))
	sample, fresh = nhwc(sample, []int{1, 4, 16, 16}), nhwc(fresh, []int{1, 4, 16, 16})
	for i := range sample {
		sample[i] = float32((float64(mean[i]) + math.Exp(0.5*float64(logvar[i]))*float64(sample[i])) * p.VAE.cfg.Scale)
	}
	want := make([]float32, 1024)
	d.sched.AddNoise(want, sample, fresh, 0)
	require.Equal(t, want, latents(t, d))
}

func TestPreview(t *testing.T) {
	p := scale(t, device(t, 2))
	d, err := p.Start(t.Context(), []Prompt{{Text: "a dog", Seed: 1}, {}}, Settings{Steps: 4, Guidance: 5, Width: 256, Height: 128})
	require.NoError(t, err)
	for range d.Steps() {
		require.NoError(t, d.Step(t.Context()))
		before := latents(t, d)
		small, err := d.Preview(t.Context())
		require.NoError(t, err)
		require.Len(t, small, 2)
		require.Equal(t, [2]int{64, 32}, [2]int{small[0].W, small[0].H})
		require.Equal(t, before, latents(t, d))
	}
}

var everySquare = flag.Bool("every-square", false, "TestEverySize draws every square too (a quarter of an hour)")

// TestEverySize draws every size a user may ask for, in little: one step, one
// picture. The long way round runs every width and height from 64 to 1024, and
// squares up to 256; larger ones take the longer the larger they are, so they all
// wait for -every-square.
func TestEverySize(t *testing.T) {
	p := scale(t, device(t, 2))
	step := 8
	if testing.Short() {
		step = 168
	}
	draw := func(w, h int) {
		got, err := p.Draw(t.Context(), []Prompt{{Text: "a dog", Seed: uint64(w + h)}}, Settings{Steps: 1, Guidance: 1, Width: w, Height: h}, nil)
		require.NoError(t, err, "%d×%d", w, h)
		require.Equal(t, [2]int{w, h}, [2]int{got[0].W, got[0].H})
	}
	for n := 64; n <= 1024; n += step {
		draw(n, 64)
		draw(64, n)
		if n <= 256 || *everySquare || !testing.Short() && (n == 328 || n == 520) {
			draw(n, n)
		}
	}
}

// TestTilesHaveNoSeam compares decoding by tiles with decoding whole: the jump
// from a column or row to the next is nowhere larger where tiles meet.
func TestTilesHaveNoSeam(t *testing.T) {
	p := scale(t, device(t, 2))
	d, err := p.Start(t.Context(), []Prompt{{Text: "birds in the sky", Seed: 1}}, Settings{Steps: 3, Guidance: 1, Width: 1024 / 2, Height: 320})
	require.NoError(t, err)
	for range d.Steps() {
		require.NoError(t, d.Step(t.Context()))
	}
	whole, err := d.Pictures(t.Context())
	require.NoError(t, err)
	d.Tiles = true
	tiled, err := d.Pictures(t.Context())
	require.NoError(t, err)
	sum, worst := 0.0, 0
	for i, b := range whole[0].Pix {
		e := int(b) - int(tiled[0].Pix[i])
		sum += math.Abs(float64(e))
		worst = max(worst, e, -e)
	}
	mean := sum / float64(len(whole[0].Pix))
	t.Logf("tiles differ by %.2f levels on average, %d at most", mean, worst)
	require.Less(t, mean, 4.0)
	// The difference to the whole picture is smooth: no step between neighbours.
	jump := func(at, next int) int {
		e := (int(tiled[0].Pix[at]) - int(whole[0].Pix[at])) - (int(tiled[0].Pix[next]) - int(whole[0].Pix[next]))
		return max(e, -e)
	}
	w, h, most := tiled[0].W, tiled[0].H, 0
	for y := range h - 1 {
		for x := range w - 1 {
			at := (y*w + x) * 3
			most = max(most, jump(at, at+3), jump(at, at+3*w))
		}
	}
	require.Less(t, most, 12)
}

func TestTilesCoverEverything(t *testing.T) {
	for n := 1; n < 400; n++ {
		covered := make([]float64, n)
		for _, at := range tiles(n) {
			size := min(n, tileCells)
			require.LessOrEqual(t, at+size, n)
			for i := range size {
				covered[at+i] += float64(fade(at, size, n, 1, i))
			}
		}
		for i, c := range covered {
			require.Greater(t, c, 0.01, "cell %d of %d", i, n)
		}
	}
}

func TestSettingsErrors(t *testing.T) {
	p := scale(t, device(t, 1))
	pic := vision.NewPicture(64, 64)
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{Guidance: 5}, "0 steps"},
		{Settings{Steps: -1, Guidance: 5}, "-1 steps"},
		{Settings{Steps: 1 << 40, Guidance: 5}, "steps"},
		{Settings{Steps: 2, Guidance: -1}, "guidance of -1"},
		{Settings{Steps: 2, Guidance: math.NaN()}, "guidance of NaN"},
		{Settings{Steps: 2, Guidance: math.Inf(1)}, "guidance of +Inf"},
		{Settings{Steps: 2, Guidance: 5, Width: 65}, "multiple of 4, such as 64 or 68"},
		{Settings{Steps: 2, Guidance: 5, Width: 2}, "width of 2"},
		{Settings{Steps: 2, Guidance: 5, Height: 1 << 40}, "height of"},
		{Settings{Steps: 2, Guidance: 5, Height: -8}, "height of -8"},
		{Settings{Steps: 2, Guidance: 5, Scheduler: "best"}, `"best" is unknown`},
		{Settings{Steps: 2, Guidance: 5, Eta: 2}, "eta"},
		{Settings{Steps: 2, Guidance: 5, Eta: math.NaN()}, "eta"},
		{Settings{Steps: 2, Guidance: 5, Strength: 0.5}, "without a picture"},
		{Settings{Steps: 2, Guidance: 5, Init: pic}, "strength of 0"},
		{Settings{Steps: 2, Guidance: 5, Init: pic, Strength: 0.1}, "takes none"},
		{Settings{Steps: 2, Guidance: 5, Init: pic, Strength: math.NaN()}, "strength of NaN"},
	} {
		_, err := p.Start(t.Context(), []Prompt{{}}, c.s)
		require.ErrorContains(t, err, c.want)
	}
	_, err := p.Start(t.Context(), nil, settings)
	require.ErrorContains(t, err, "0 pictures")
	_, err = p.Start(t.Context(), make([]Prompt, 65), settings)
	require.ErrorContains(t, err, "65 pictures")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Draw(ctx, []Prompt{{}}, settings, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestLongPromptIsCut(t *testing.T) {
	p := scale(t, device(t, 1))
	long := string(slices.Repeat([]byte("a dog "), 1<<18))
	d, err := p.Start(t.Context(), []Prompt{{Text: long}, {}}, settings)
	require.NoError(t, err)
	require.Equal(t, 1, d.Cut)
}

// TestDamageIsFound: a NaN in any tower ends the drawing, naming the stage.
func TestDamageIsFound(t *testing.T) {
	nan := func(p *graph.Param) {
		n := p.Shape.Elems()
		data := make([]byte, 4*n)
		for i := range n {
			copy(data[4*i:], []byte{0, 0, 0xc0, 0x7f})
		}
		require.NoError(t, p.Load(weights.Info{Shape: p.Shape, Data: data}))
	}
	for want, spoil := range map[string]func(p *Pipeline){
		"text encoder":                func(p *Pipeline) { nan(p.Text.Text.FinalNorm.Bias) },
		"step 1 of 3: the UNet":       func(p *Pipeline) { nan(p.UNet.ConvOut.Bias) },
		"the autoencoder's decoder m": func(p *Pipeline) { nan(p.VAE.Decoder.ConvOut.Bias) },
	} {
		p := scale(t, device(t, 1))
		spoil(p)
		_, err := p.Draw(t.Context(), []Prompt{{}}, settings, nil)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "no finite numbers")
	}
}

// TestLoadErrors: directories and files that aren't a whole model.
func TestLoadErrors(t *testing.T) {
	d, dir := device(t, 1), t.TempDir()
	_, err := Load(d, weights.DiskDir(filepath.Join(dir, "none")))
	require.ErrorContains(t, err, "can't be used")
	_, err = Load(d, weights.DiskDir(dir))
	require.ErrorContains(t, err, "unet/config.json")
	file := filepath.Join(dir, "x.safetensors")
	require.NoError(t, weights.Write(file, []weights.Info{{Name: "a", DType: weights.F32, Shape: []int{1}, Data: make([]byte, 4)}}, nil))
	_, err = LoadFile(d, file)
	require.ErrorContains(t, err, "not a whole Stable Diffusion v1 checkpoint")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "unet"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "unet", "config.json"), []byte("{"), 0o644))
	_, err = Load(d, weights.DiskDir(dir))
	require.ErrorContains(t, err, "text_encoder")
}
