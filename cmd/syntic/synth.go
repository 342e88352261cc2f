package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/models/caption"
	"syntic/tensor/graph"
	"syntic/tools/synth"
	"syntic/weights"
)

// synthFlags are the synth command's own.
type synthFlags struct {
	drawFlags
	out       string
	keep      []string
	shard     string
	threshold float64
}

func newSynth(a *app) *cobra.Command {
	var f synthFlags
	cmd := &cobra.Command{
		Use:   "synth CAPTIONS.txt",
		Short: "Draw a picture for every caption of a text file",
		Long: `Draw a picture for every line of a text file into a store, a folder: what the
captioner is trained on. What is there isn't drawn again: a run that was
interrupted or killed goes on where it was, and a finished store is the same
bytes however often it was. --shard 2/8 does the second eighth of the work;
shards may run at the same time, into one store.

--keep says what stays: pictures; features, their CLIP features and objects (the
model directory needs clip/ and detr/ then); latents.`,
		Example: `  syntic synth captions.txt -o store/
  syntic synth captions.txt -o store/ --keep features --shard 1/4 --model DIR`,
		Args: exactly(1, "one file of captions, one a line"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.drawFlags.check(a, cmd); err != nil {
				return err
			}
			return a.synth(cmd.Context(), args[0], &f)
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.Uint64Var(&f.seed, "seed", 0, "of a caption's first picture; where a caption repeats, each has the next")
	fs.StringVarP(&f.out, "out", "o", "", "the store's `FOLDER`")
	fs.StringSliceVar(&f.keep, "keep", []string{synth.Pictures}, "what to keep: "+strings.Join(synth.Parts(), ", "))
	fs.StringVar(&f.shard, "shard", "1/1", "do part i of n")
	fs.Float64Var(&f.threshold, "threshold", 0.7, "score above which an object is kept with the features")
	return cmd
}

// check reads the flags that need no model.
func (f *synthFlags) check() (synth.Shard, error) {
	shard, err := synth.ParseShard(f.shard)
	if err != nil {
		return shard, usagef("--shard: %v", err)
	}
	if f.out == "" {
		return shard, usagef("synth needs -o FOLDER")
	}
	if !(f.threshold >= 0 && f.threshold <= 1) {
		return shard, usagef("--threshold must lie between 0 and 1")
	}
	var keep []string
	for _, part := range synth.Parts() {
		if slices.Contains(f.keep, part) {
			keep = append(keep, part)
		}
	}
	for _, part := range f.keep {
		if !slices.Contains(keep, part) {
			return shard, usagef("--keep %s: may be %s", part, strings.Join(synth.Parts(), ", "))
		}
	}
	if f.keep = keep; len(keep) == 0 {
		return shard, usagef("--keep nothing?")
	}
	return shard, nil
}

func (a *app) synth(ctx context.Context, file string, f *synthFlags) (err error) {
	shard, err := f.check()
	if err != nil {
		return err
	}
	captions, err := caption.ReadCorpus(file)
	if err != nil {
		return err
	}
	d, err := a.openDevice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	m := &synth.Maker{Batch: f.batch}
	if m.Pipeline, err = a.openPipeline(d); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Pipeline.Close()) }()
	if m.Settings, err = m.Pipeline.Complete(f.settings); err != nil {
		return err
	}
	plan, err := a.planDrawing(d, m.Pipeline, f.batch, captions.Len(), &m.Settings, false)
	if err != nil {
		return err
	}
	if err := plan.fits(m.Pipeline); err != nil {
		return err
	}
	recipe, err := a.recipe(m, d, f)
	if err != nil {
		return err
	}
	if m.Encoder != nil {
		defer func() { err = errors.Join(err, m.Encoder.Close(), m.Detector.Close()) }()
	}
	s, err := synth.Open(f.out, recipe, shard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return a.runSynth(ctx, m, s, captions)
}

// runSynth makes the shard's items and tells how it went.
func (a *app) runSynth(ctx context.Context, m *synth.Maker, s *synth.Store, captions *caption.Corpus) error {
	items := s.Items(captions)
	p := a.newProgress("pictures", len(items))
	defer p.finish()
	drawn, there, failed := 0, 0, 0
	m.Report = func(it synth.Item, was bool, err error) {
		switch {
		case err != nil:
			failed++
			p.pause()
			fmt.Fprintf(a.err, "syntic: %q, seed %d: %v\n", it.Caption, it.Seed, err)
		case was:
			there++
		default:
			drawn++
		}
		p.add(1)
	}
	err := m.Run(ctx, s, items)
	p.pause()
	if a.json {
		return errors.Join(err, a.printJSON(map[string]int{"captions": len(items), "drawn": drawn, "there": there, "failed": failed}))
	}
	if _, e := fmt.Fprintf(a.out, "%d captions: %d drawn, %d there before, %d failed\n", len(items), drawn, there, failed); e != nil {
		return errors.Join(err, e)
	}
	return err
}

// recipe says what the store's results depend on, and opens the models that
// features need.
func (a *app) recipe(m *synth.Maker, d graph.Device, f *synthFlags) (r synth.Recipe, err error) {
	s := m.Settings
	r = synth.Recipe{
		Keep: f.keep, Seed: f.seed, Negative: f.negative, Width: s.Width, Height: s.Height, Steps: s.Steps, Guidance: s.Guidance,
		Scheduler: s.Scheduler, Eta: s.Eta, RNG: f.rng, Tiles: s.Tiles, Precision: a.arithmetic(),
	}
	if r.Model, err = m.Pipeline.Fingerprint(); err != nil || !slices.Contains(f.keep, synth.Features) {
		return r, err
	}
	if m.Encoder, err = caption.LoadEncoder(d, a.modelDir()); err != nil {
		return r, err
	}
	if m.Detector, err = caption.LoadDetector(d, a.modelDir()); err != nil {
		return r, errors.Join(err, m.Encoder.Close())
	}
	r.Threshold = f.threshold
	r.Encoder, err = weights.Fingerprint(m.Encoder.Weights(), m.Detector.Weights())
	return r, err
}
