package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/tools/metrics"
	"syntic/tools/metrics/meteor"
	"syntic/tools/metrics/read"
	"syntic/tools/metrics/spice"
	"syntic/tools/metrics/stats"
)

// scoring are the flags of everything that scores captions.
type scoring struct {
	references string
	metrics    []string
	meteor     string
	spiceJar   string
	java       string
	split      string
	skipBad    bool
	subset     bool
	seed       uint64
}

func (s *scoring) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&s.references, "references", "", "reference captions `FILE` (required)")
	fs.StringSliceVar(&s.metrics, "metrics", nil, "only these: Bleu, METEOR, ROUGE_L, CIDEr, CIDEr-plain, SPICE")
	fs.StringVar(&s.meteor, "meteor", os.Getenv("SYNTIC_METEOR_DATA"), "`DIR` with meteor-1.5.jar and paraphrase-en.gz, or pycocoevalcap's meteor folder (default: SYNTIC_METEOR_DATA)")
	fs.StringVar(&s.spiceJar, "spice-jar", "", "SPICE's jar, to run the official program (needs Java)")
	fs.StringVar(&s.java, "java", "", "Java for SPICE (default: the one on the path)")
	fs.StringVar(&s.split, "split", "test", "split of a Karpathy file")
	fs.BoolVar(&s.skipBad, "skip-bad", false, "pass over lines that can't be read, saying so")
	fs.BoolVar(&s.subset, "subset", false, "evaluate only the pictures that have a prediction")
	fs.Uint64Var(&s.seed, "seed", 0, "seed of resampling")
}

func (a *app) readOptions(s *scoring) read.Options {
	return read.Options{Split: s.split, SkipBad: s.skipBad, OnSkip: func(err error) { fmt.Fprintf(a.err, "syntic: skipped: %v\n", err) }}
}

// evaluation returns the options of scoring, with progress by stage.
func (a *app) evaluation(s *scoring) (metrics.Options, error) {
	o := metrics.Options{Metrics: s.metrics, Subset: s.subset, Workers: a.threads, Bootstrap: stats.Options{Seed: s.seed}}
	if s.meteor != "" {
		table := filepath.Join(s.meteor, "paraphrase-en.gz")
		if _, err := os.Stat(table); err != nil {
			table = filepath.Join(s.meteor, "data", "paraphrase-en.gz") // as pycocoevalcap has it
		}
		d, err := meteor.Open(filepath.Join(s.meteor, "meteor-1.5.jar"), table)
		if err != nil {
			return o, err
		}
		o.Meteor = d
	}
	if s.spiceJar != "" {
		o.Spice = &spice.Program{Jar: s.spiceJar, Java: s.java}
	}
	var p *progress
	stage, done := "", 0
	o.Progress = func(name string, n, total int) {
		if name != stage {
			if p != nil {
				p.finish()
			}
			p, stage, done = a.newProgress(name, total), name, 0
		}
		p.add(n - done)
		if done = n; n == total {
			p.finish()
		}
	}
	return o, nil
}

type evaluateFlags struct {
	scoring
	predictions string
	images      string
	intervals   bool
	table       string
	plot        string
	caption     captionFlags
}

func newEvaluate(a *app) *cobra.Command {
	var f evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate",
		Short: "Score captions as the official toolkit does",
		Long: `Score captions against references: BLEU-1..4, METEOR, ROUGE-L, CIDEr and, through
its official program, SPICE. The numbers are pycocoevalcap's. Files may be COCO
annotations and results, lists of {image, captions, prediction}, Karpathy splits,
Flickr token files, TSV, CSV or JSON lines; the form is recognised.
With --images, the pictures of a folder are captioned first and matched with the
references by file name.`,
		Example: `  syntic evaluate --references captions_val2014.json --predictions results.json
  syntic evaluate --references refs.json --images photos/ --model DIR --beams 5 --intervals
  syntic evaluate compare a.json b.json --references refs.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.evaluate(cmd.Context(), &f) },
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.predictions, "predictions", "", "predicted captions `FILE`")
	fs.StringVar(&f.images, "images", "", "caption the pictures of this `DIR` instead")
	fs.BoolVar(&f.intervals, "intervals", false, "add bootstrap confidence intervals")
	fs.StringVar(&f.table, "pictures", "", "write every picture's scores to this TSV `FILE`")
	fs.StringVar(&f.plot, "plot", "", "draw the scores into this .png or .svg `FILE`")
	fs.IntVar(&f.caption.opts.Beams, "beams", 0, "with --images: beams")
	fs.StringVar(&f.caption.memory, "memory", "", "with --images: support memory `FILE`")
	fs.BoolVar(&f.caption.opts.NoProjection, "no-projection", false, "with --images: leave out the projection (ablation)")
	fs.BoolVar(&f.caption.opts.NoTags, "no-tags", false, "with --images: leave out the objects (ablation)")
	f.caption.batch = 16
	cmd.AddCommand(newCompare(a), newJudge(a))
	return cmd
}

func (a *app) evaluate(ctx context.Context, f *evaluateFlags) error {
	if f.references == "" || (f.predictions == "") == (f.images == "") {
		return usagef("evaluate needs --references and either --predictions or --images")
	}
	refs, err := read.References(f.references, a.readOptions(&f.scoring))
	if err != nil {
		return err
	}
	var hyps *read.Set
	if f.predictions != "" {
		hyps, err = read.Predictions(f.predictions, a.readOptions(&f.scoring))
	} else {
		hyps, err = a.captionFolder(ctx, f, refs)
	}
	if err != nil {
		return err
	}
	o, err := a.evaluation(&f.scoring)
	if err != nil {
		return err
	}
	o.Intervals = f.intervals
	r, err := metrics.Evaluate(ctx, refs, hyps, o)
	if err != nil {
		return err
	}
	if f.table != "" {
		if err := metrics.WriteFile(f.table, r.WritePictures); err != nil {
			return err
		}
	}
	if f.plot != "" {
		if err := metrics.PlotComparison(f.plot, "", []string{strings.TrimSuffix(filepath.Base(hyps.Name), filepath.Ext(hyps.Name))}, []*metrics.Result{r}); err != nil {
			return err
		}
	}
	if a.json {
		return a.printScores(r)
	}
	return r.WriteTable(a.out)
}

// printScores prints the document that other programs read.
func (a *app) printScores(r *metrics.Result) error {
	doc := struct {
		N         int                        `json:"n"`
		Scores    map[string]float64         `json:"scores"`
		Intervals map[string]*stats.Interval `json:"intervals,omitempty"`
		Notes     map[string]string          `json:"notes,omitempty"` // why a number isn't comparable
		Warnings  []string                   `json:"warnings,omitempty"`
	}{N: len(r.Pictures), Scores: map[string]float64{}, Intervals: map[string]*stats.Interval{}, Notes: map[string]string{}, Warnings: r.Warnings}
	for _, s := range r.Scores {
		doc.Scores[s.Metric] = s.Value
		if s.Range != nil {
			doc.Intervals[s.Metric] = s.Range
		}
		if s.Note != "" {
			doc.Notes[s.Metric] = s.Note
		}
	}
	return a.printJSON(doc)
}

func newCompare(a *app) *cobra.Command {
	var s scoring
	var plot string
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Test whether two sets of predictions differ on the same pictures",
		Args:  exactly(2, "two prediction files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.compare(cmd.Context(), &s, args, plot)
		},
	}
	s.register(cmd)
	cmd.Flags().StringVar(&plot, "plot", "", "draw both into this .png or .svg `FILE`")
	return cmd
}

func (a *app) compare(ctx context.Context, s *scoring, paths []string, plot string) error {
	if s.references == "" {
		return usagef("evaluate compare needs --references")
	}
	refs, err := read.References(s.references, a.readOptions(s))
	if err != nil {
		return err
	}
	o, err := a.evaluation(s)
	if err != nil {
		return err
	}
	o.Intervals = plot != ""
	names := make([]string, len(paths))
	results := make([]*metrics.Result, len(paths))
	for i, p := range paths {
		hyps, err := read.Predictions(p, a.readOptions(s))
		if err != nil {
			return err
		}
		if results[i], err = metrics.Evaluate(ctx, refs, hyps, o); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		names[i] = strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))
	}
	d, err := metrics.Compare(results[0], results[1], o.Bootstrap)
	if err != nil {
		return err
	}
	if plot != "" {
		if err := metrics.PlotComparison(plot, "", names, results); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(d)
	}
	return metrics.WriteDifferences(a.out, names[0], names[1], d)
}

func newJudge(a *app) *cobra.Command {
	var s scoring
	cmd := &cobra.Command{
		Use:   "judge RATINGS",
		Short: "Correlate the metrics with human judgement (Flickr8k's ExpertAnnotations.txt)",
		Args:  exactly(1, "a file of ratings"),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.judge(cmd.Context(), &s, args[0]) },
	}
	s.register(cmd)
	return cmd
}

func (a *app) judge(ctx context.Context, s *scoring, path string) error {
	if s.references == "" {
		return usagef("evaluate judge needs --references, Flickr8k's token file")
	}
	refs, err := read.References(s.references, a.readOptions(s))
	if err != nil {
		return err
	}
	ratings, err := metrics.ReadExpert(path)
	if err != nil {
		return err
	}
	o, err := a.evaluation(s)
	if err != nil {
		return err
	}
	c, err := metrics.Correlate(ctx, refs, ratings, o)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(c)
	}
	return metrics.WriteCorrelations(a.out, c)
}
