package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/models/sd"
	"syntic/models/sd/sched"
	"syntic/models/vision"
	"syntic/tensor/graph"
	"syntic/tools/synth"
	"syntic/tools/world"
)

// drawFlags are those of every command that draws.
type drawFlags struct {
	settings sd.Settings
	negative string
	seed     uint64
	rng      string
	batch    int
}

func (f *drawFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVar(&f.settings.Width, "width", 0, "in pixels (default: the model's own size)")
	fs.IntVar(&f.settings.Height, "height", 0, "in pixels (default: the model's own size)")
	fs.IntVar(&f.settings.Steps, "steps", 20, "denoising steps")
	fs.Float64Var(&f.settings.Guidance, "guidance", 7.5, "how much the prompt counts; up to 1 means no guidance, at half the work (default of the scale model: 5)")
	fs.StringVar(&f.settings.Scheduler, "scheduler", "", strings.Join(sched.Names(), ", ")+" (default: the model's own)")
	fs.Float64Var(&f.settings.Eta, "eta", 0, "ddim's share of fresh noise, 0 to 1")
	fs.StringVar(&f.negative, "negative", "", "what the pictures mustn't show")
	fs.StringVar(&f.rng, "rng", "syntic", "where noise comes from: syntic, or torch for that of PyTorch's CPU generator")
	fs.BoolVar(&f.settings.Tiles, "tiles", false, "decode by overlapping tiles: less memory, slightly other colours (default of generate: where memory is short)")
	fs.IntVar(&f.batch, "batch", 1, "pictures at a time")
}

// check completes the flags for a model.
func (f *drawFlags) check(a *app, cmd *cobra.Command) error {
	if a.model == "" && !cmd.Flags().Changed("guidance") {
		f.settings.Guidance = world.Guidance
	}
	if f.rng != "syntic" && f.rng != "torch" {
		return usagef("--rng %s: must be syntic or torch", f.rng)
	}
	f.settings.Torch = f.rng == "torch"
	if f.batch < 1 || f.batch > 64 {
		return usagef("--batch %d: must lie between 1 and 64", f.batch)
	}
	return nil
}

// generateFlags are the generate command's own.
type generateFlags struct {
	drawFlags
	out     string
	from    string
	format  string
	count   int
	preview int
	init    string
	plan    bool
	whole   bool // --tiles=false was said
}

func newGenerate(a *app) *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate PROMPT...",
		Short: "Draw pictures from texts",
		Long: `Draw a picture for every prompt with Stable Diffusion v1. --model is a directory
in diffusers' layout, or one .safetensors or .ckpt file.

A picture depends on its prompt, its seed and the settings alone: not on the
number of threads, on the batch, or on the other pictures. How it was made is
written into its file. Pictures finished before an interruption are whole.`,
		Example: `  syntic generate "a brown dog next to a red car" -o dog.png --seed 7
  syntic generate --from prompts.txt -o pictures/ --count 4
  syntic generate --model ~/models/stable-diffusion-v1-5 --plan "a castle"
  syntic generate "a dog in the snow" --init-image dog.png --strength 0.6`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.drawFlags.check(a, cmd); err != nil {
				return err
			}
			if !cmd.Flags().Changed("seed") {
				var b [8]byte
				if _, err := rand.Read(b[:4]); err != nil {
					return err
				}
				f.seed = binary.LittleEndian.Uint64(b[:])
			}
			if f.init == "" && cmd.Flags().Changed("strength") {
				return usagef("--strength needs --init-image")
			}
			f.whole = cmd.Flags().Changed("tiles") && !f.settings.Tiles
			return a.generate(cmd.Context(), args, &f)
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.Uint64Var(&f.seed, "seed", 0, "of the first picture; each further one has the next (default: by chance)")
	fs.StringVarP(&f.out, "out", "o", ".", "a picture's `FILE`, or a folder for several")
	fs.StringVar(&f.format, "format", "png", "of pictures that go into a folder: png, jpg or webp")
	fs.StringVar(&f.from, "from", "", "read prompts from this `FILE`, one a line; - for standard input")
	fs.IntVar(&f.count, "count", 1, "pictures per prompt")
	fs.IntVar(&f.preview, "preview", 0, "every so many steps, write what the picture becomes to NAME.preview.png")
	fs.StringVar(&f.init, "init-image", "", "begin with this `PICTURE`, not with noise")
	fs.Float64Var(&f.settings.Strength, "strength", 0.75, "with --init-image: the share of the steps that change it")
	fs.BoolVar(&f.plan, "plan", false, "print the memory and the time each stage needs, draw nothing")
	return cmd
}

// picture is one picture to be drawn.
type picture struct {
	sd.Prompt
	file string
}

func (a *app) generate(ctx context.Context, args []string, f *generateFlags) (err error) {
	list, err := a.pictures(args, f)
	if err != nil {
		return err
	}
	if f.init == "" {
		f.settings.Strength = 0
	} else if f.settings.Init, err = a.readPicture(ctx, f.init); err != nil {
		return err
	}
	d, err := a.openDevice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	p, err := a.openPipeline(d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	n := (len(list) + f.batch - 1) / f.batch
	plan, err := a.planDrawing(d, p, min(f.batch, len(list)), n, &f.settings, f.plan)
	if err != nil {
		return err
	}
	if plan.short() && !f.settings.Tiles && !f.whole {
		if plan, err = a.planTiles(d, p, n, f, len(list), plan); err != nil {
			return err
		}
	}
	if f.plan {
		return a.printPlan(plan)
	}
	if err := plan.fits(p); err != nil {
		return err
	}
	var b batches
	defer func() { err = errors.Join(err, b.finish()) }()
	for part := range slices.Chunk(list, f.batch) {
		drawing, err := a.start(ctx, p, part, f)
		if err != nil {
			return err
		}
		if b.progress == nil {
			b.progress = a.newProgress("steps", n*drawing.Steps())
		}
		if err := a.draw(ctx, drawing, part, f, &b); err != nil {
			return err
		}
	}
	return nil
}

// batches are what the batches of a run share.
type batches struct {
	progress *progress
	written  synth.Behind
}

// finish waits for the pictures that are drawn to be written.
func (b *batches) finish() error {
	err := b.written.Wait()
	if b.progress != nil {
		b.progress.finish()
	}
	return err
}

// planTiles has pictures decoded by tiles where that lets them fit into memory.
func (a *app) planTiles(d graph.Device, p *sd.Pipeline, batches int, f *generateFlags, pictures int, whole *drawPlan) (*drawPlan, error) {
	s := f.settings
	s.Tiles = true
	plan, err := a.planDrawing(d, p, min(f.batch, pictures), batches, &s, f.plan)
	if err != nil || plan.short() {
		return whole, err
	}
	f.settings.Tiles = true
	if !a.quiet {
		fmt.Fprintf(a.err, "syntic: decoding by tiles: whole pictures need %s of memory, %s are available; colours differ slightly (--tiles=false refuses instead)\n", size(whole.Lean), size(whole.Available))
	}
	return plan, nil
}

// start begins the drawing of some pictures.
func (a *app) start(ctx context.Context, p *sd.Pipeline, list []picture, f *generateFlags) (*sd.Drawing, error) {
	prompts := make([]sd.Prompt, len(list))
	for i, q := range list {
		prompts[i] = q.Prompt
	}
	drawing, err := p.Start(ctx, prompts, f.settings)
	if err == nil && drawing.Cut > 0 && !a.quiet {
		fmt.Fprintf(a.err, "syntic: %d prompts were too long for the text encoder and were cut\n", drawing.Cut)
	}
	return drawing, err
}

// draw takes the steps of a drawing and has its pictures written behind the next
// one's.
func (a *app) draw(ctx context.Context, drawing *sd.Drawing, list []picture, f *generateFlags, b *batches) error {
	for step := range drawing.Steps() {
		if err := drawing.Step(ctx); err != nil {
			return err
		}
		b.progress.add(1)
		if err := b.written.Poll(); err != nil {
			return err
		}
		if f.preview == 0 || (step+1)%f.preview != 0 || step+1 == drawing.Steps() {
			continue
		}
		small, err := drawing.Preview(ctx)
		if err != nil {
			return err
		}
		for i, s := range small {
			if err := savePicture(preview(&list[i]), s.Resize(drawing.Width, drawing.Height, vision.Bicubic, nil), ""); err != nil {
				return err
			}
		}
	}
	pictures, err := drawing.Pictures(ctx)
	if err != nil {
		return err
	}
	settings := drawing.Settings
	return b.written.Begin(len(list), func(i int) error {
		if err := savePicture(list[i].file, pictures[i], a.describe(&list[i].Prompt, &settings, f.rng)); err != nil {
			return err
		}
		if f.preview > 0 {
			if err := os.Remove(preview(&list[i])); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return nil
	}, func(i int) error {
		b.progress.pause()
		return a.printDrawn(&list[i], &settings)
	})
}

// preview returns where a picture's previews go.
func preview(p *picture) string {
	return strings.TrimSuffix(p.file, filepath.Ext(p.file)) + ".preview.png"
}

// drawnLine is one line of --json.
type drawnLine struct {
	File      string  `json:"file"`
	Prompt    string  `json:"prompt"`
	Negative  string  `json:"negative,omitempty"`
	Seed      uint64  `json:"seed"`
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	Steps     int     `json:"steps"`
	Guidance  float64 `json:"guidance"`
	Scheduler string  `json:"scheduler"`
}

func (a *app) printDrawn(p *picture, s *sd.Settings) error {
	if a.json {
		return a.printJSON(drawnLine{p.file, p.Text, p.Negative, p.Seed, s.Width, s.Height, s.Steps, s.Guidance, s.Scheduler})
	}
	_, err := fmt.Fprintf(a.out, "%s (seed %d)\n", p.file, p.Seed)
	return err
}

// maxAbout bounds the prompt's part of a description: JPEG holds 64 KiB in all.
const maxAbout = 8000

// describe tells how a picture was made, in the form that other programs read.
func (a *app) describe(q *sd.Prompt, s *sd.Settings, rng string) string {
	short := func(t string) string {
		if r := []rune(t); len(r) > maxAbout {
			return string(r[:maxAbout]) + "…"
		}
		return t
	}
	var b strings.Builder
	b.WriteString(short(q.Text))
	if q.Negative != "" {
		fmt.Fprintf(&b, "\nNegative prompt: %s", short(q.Negative))
	}
	model := "scale model"
	if a.model != "" {
		model = filepath.Base(filepath.Clean(a.model))
	}
	fmt.Fprintf(&b, "\nSteps: %d, Sampler: %s, CFG scale: %g, Seed: %d, Size: %dx%d, Model: %s, RNG: %s", s.Steps, s.Scheduler, s.Guidance, q.Seed, s.Width, s.Height, model, rng)
	if s.Init != nil {
		fmt.Fprintf(&b, ", Denoising strength: %g", s.Strength)
	}
	fmt.Fprintf(&b, ", Version: syntic %s", version)
	return b.String()
}

// openPipeline loads the model that draws: the scale model, a directory or one
// file.
func (a *app) openPipeline(d graph.Device) (*sd.Pipeline, error) {
	if info, err := os.Stat(a.model); a.model != "" && err == nil && info.Mode().IsRegular() {
		return sd.LoadFile(d, a.model)
	}
	return sd.Load(d, a.modelDir())
}
