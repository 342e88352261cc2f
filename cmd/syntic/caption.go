package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/models/caption"
	"syntic/tensor/graph"
	"syntic/tools/world"
)

// captionFlags are the caption command's own.
type captionFlags struct {
	opts     caption.Options
	beam     bool
	explain  bool
	memory   string
	annotate string
	batch    int
	fetch    bool
}

func newCaption(a *app) *cobra.Command {
	var f captionFlags
	cmd := &cobra.Command{
		Use:   "caption PICTURE...",
		Short: "Describe pictures",
		Long: `Describe pictures: files, folders, patterns, "-" for standard input, or the
built-in ` + strings.Join(world.Samples(), ", ") + `.
A picture that can't be read is reported and the others go on; the exit code is
then 1.`,
		Example: `  syntic caption ` + world.Samples()[0] + `
  syntic caption --beams 5 --explain photo.jpg
  syntic caption --model ~/models/syntic --json photos/ > captions.jsonl
  syntic caption --memory flickr.safetensors --annotate out/ photos/*.jpg`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.beam && f.opts.Beams == 0 {
				f.opts.Beams = -1 // the model's own number, known once it is loaded
			}
			return a.caption(cmd.Context(), args, f)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.beam, "beam", false, "beam search with the model's number of beams")
	fs.IntVar(&f.opts.Beams, "beams", 0, "beam search with this many beams")
	fs.IntVar(&f.opts.MaxTokens, "max-tokens", 0, "longest caption, in tokens (default: the model's)")
	fs.Float64Var(&f.opts.Temperature, "temperature", 0, "above 0: draw words at random, reproducibly by --seed")
	fs.Float64Var(&f.opts.TopP, "top-p", 0, "with --temperature: only the likeliest words that sum to this probability")
	fs.Uint64Var(&f.opts.Seed, "seed", 0, "with --temperature: the random generator's seed")
	fs.StringVar(&f.memory, "memory", "", "support memory `FILE` instead of the model's (another domain's texts)")
	fs.Float64Var(&f.opts.Tau, "tau", 0, "temperature of the projection onto the memory (default: the model's)")
	fs.IntVar(&f.opts.TopK, "top-k", 0, "project onto the K nearest texts alone (default: all)")
	fs.Float64Var(&f.opts.Threshold, "threshold", 0, "score above which an object counts (default: the model's)")
	fs.BoolVar(&f.opts.NoProjection, "no-projection", false, "leave out the projection (ablation)")
	fs.BoolVar(&f.opts.NoTags, "no-tags", false, "leave out the objects (ablation)")
	fs.BoolVar(&f.explain, "explain", false, "show the nearest support texts, the objects, and how attention weighed them")
	fs.StringVar(&f.annotate, "annotate", "", "draw boxes and caption into this `PATH`: a .png or .jpg, or a folder for several pictures")
	fs.IntVar(&f.batch, "batch", 16, "pictures at a time")
	fs.BoolVar(&f.fetch, "fetch", false, "allow http and https URLs")
	return cmd
}

func (f *captionFlags) check(names []string) error {
	if f.batch < 1 || f.batch > 1024 {
		return usagef("--batch %d: must lie between 1 and 1024", f.batch)
	}
	if f.opts.Beams < -1 || f.opts.Beams > 64 {
		return usagef("--beams %d: must lie between 1 and 64", f.opts.Beams)
	}
	if !(f.opts.Tau >= 0) || !(f.opts.Temperature >= 0) || f.opts.TopK < 0 || f.opts.MaxTokens < 0 {
		return usagef("--tau, --temperature, --top-k and --max-tokens can't be negative")
	}
	if !(f.opts.Threshold >= 0 && f.opts.Threshold <= 1) || !(f.opts.TopP >= 0 && f.opts.TopP <= 1) {
		return usagef("--threshold and --top-p must lie between 0 and 1")
	}
	return checkAnnotate(f.annotate, names)
}

// captionLine is one line of --json.
type captionLine struct {
	File string `json:"file"`
	*caption.Result
	Error string `json:"error,omitempty"`
}

func (a *app) caption(ctx context.Context, args []string, f captionFlags) (err error) {
	if len(args) == 0 {
		return usagef("caption what? Give pictures, or try: syntic caption %s", world.Samples()[0])
	}
	names, err := expand(args, f.fetch)
	if err != nil {
		return err
	}
	if err := f.check(names); err != nil {
		return err
	}
	d, err := a.openDevice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	m, err := a.openCaptioner(ctx, d, f.memory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if f.opts.Beams < 0 {
		f.opts.Beams = m.Settings.Beams
	}
	if f.explain {
		f.opts.Explain = 5
	}
	p := a.newProgress("pictures", len(names))
	defer p.finish()
	failed := false
	for part := range slices.Chunk(names, f.batch) {
		bad, err := a.captionBatch(ctx, m, part, f, p)
		if err != nil {
			return err
		}
		failed = failed || bad
		p.add(len(part))
	}
	if failed {
		return errReported
	}
	return nil
}

// captionBatch describes a few pictures and prints them in order.
func (a *app) captionBatch(ctx context.Context, m *caption.Model, names []string, f captionFlags, p *progress) (failed bool, err error) {
	lines := make([]captionLine, len(names))
	for i, n := range names {
		lines[i].File = n
	}
	pictures, which, err := a.readBatch(ctx, names, func(i int, err error) { lines[i].Error = err.Error() })
	if err != nil {
		return false, err
	}
	results, err := m.Caption(ctx, pictures, f.opts)
	if err != nil {
		return false, err
	}
	for j, i := range which {
		lines[i].Result = &results[j]
		if f.annotate != "" {
			if err := annotate(f.annotate, names[i], pictures[j], &results[j]); err != nil {
				return false, err
			}
		}
	}
	p.pause()
	for i := range lines {
		failed = failed || lines[i].Error != ""
		if err := a.printCaption(&lines[i], len(names) > 1 || p.total > 1, f.explain); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

func (a *app) printCaption(l *captionLine, named, explain bool) error {
	if a.json {
		return a.printJSON(l)
	}
	if l.Error != "" {
		_, err := fmt.Fprintf(a.err, "syntic: %s\n", l.Error)
		return err
	}
	w, flush := a.buffered()
	if named {
		fmt.Fprintf(w, "%s: ", l.File)
	}
	fmt.Fprintln(w, l.Caption)
	if explain {
		writeExplanation(w, l.Result)
	}
	return flush()
}

// writeExplanation prints why a caption came out as it did.
func writeExplanation(w io.Writer, r *caption.Result) {
	if len(r.Support) > 0 {
		fmt.Fprintln(w, "  nearest texts (weight in the projection)")
		for _, s := range r.Support {
			fmt.Fprintf(w, "    %5.1f %%  %s\n", 100*s.Weight, s.Text)
		}
	}
	if len(r.Tags) == 0 {
		fmt.Fprintln(w, "  no objects")
	} else {
		fmt.Fprintln(w, "  objects (score, share of attention, box)")
	}
	for _, t := range r.Tags {
		fmt.Fprintf(w, "    %-16s %5.1f %%  %5.1f %%  %.0f,%.0f - %.0f,%.0f\n", t.Name, 100*t.Score, 100*t.Weight, t.Box[0], t.Box[1], t.Box[2], t.Box[3])
	}
	for i, alt := range r.Alternatives {
		fmt.Fprintf(w, "  beam %d: %s\n", i+2, alt)
	}
}

// openCaptioner loads the model, with another support memory where one is named.
func (a *app) openCaptioner(ctx context.Context, d graph.Device, memory string) (*caption.Model, error) {
	m, err := caption.Load(ctx, d, a.modelDir())
	if err != nil || memory == "" {
		return m, err
	}
	other, err := caption.OpenMemory(memory)
	if err == nil {
		err = m.SetMemory(other)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}
