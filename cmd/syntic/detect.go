package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/models/caption"
	"syntic/models/detr"
	"syntic/models/vision"
	"syntic/tools/world"
)

type detectFlags struct {
	threshold float64
	batch     int
	annotate  string
	fetch     bool
}

func newDetect(a *app) *cobra.Command {
	var f detectFlags
	cmd := &cobra.Command{
		Use:     "detect PICTURE...",
		Short:   "Find objects in pictures",
		Long:    "Find objects with DETR. Pictures are named as for `syntic caption`.",
		Example: "  syntic detect " + world.Samples()[0] + "\n  syntic detect --threshold 0.9 --json photos/",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.detect(cmd.Context(), args, f) },
	}
	fs := cmd.Flags()
	fs.Float64Var(&f.threshold, "threshold", 0.7, "score above which an object counts")
	fs.IntVar(&f.batch, "batch", 16, "pictures at a time")
	fs.StringVar(&f.annotate, "annotate", "", "draw the boxes into this `PATH`: a .png or .jpg, or a folder for several pictures")
	fs.BoolVar(&f.fetch, "fetch", false, "allow http and https URLs")
	return cmd
}

// detectLine is one line of --json.
type detectLine struct {
	File    string        `json:"file"`
	Objects []caption.Tag `json:"objects"`
	Error   string        `json:"error,omitempty"`
}

func (a *app) detect(ctx context.Context, args []string, f detectFlags) (err error) {
	if len(args) == 0 {
		return usagef("detect in what? Give pictures, or try: syntic detect %s", world.Samples()[0])
	}
	if !(f.threshold >= 0 && f.threshold <= 1) || f.batch < 1 || f.batch > 1024 {
		return usagef("--threshold must lie between 0 and 1, --batch between 1 and 1024")
	}
	names, err := expand(args, f.fetch)
	if err != nil {
		return err
	}
	if err := checkAnnotate(f.annotate, names); err != nil {
		return err
	}
	d, err := a.openDevice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	t, err := caption.LoadDetector(d, a.modelDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	p := a.newProgress("pictures", len(names))
	defer p.finish()
	failed := false
	for part := range slices.Chunk(names, f.batch) {
		lines := make([]detectLine, len(part))
		pictures, which, err := a.readBatch(ctx, part, func(i int, err error) { lines[i].Error = err.Error() })
		if err != nil {
			return err
		}
		found, err := t.Detect(ctx, pictures, float32(f.threshold), nil)
		if err != nil {
			return err
		}
		for j, i := range which {
			lines[i].Objects = tags(t, found[j])
			if f.annotate != "" {
				if err := annotate(f.annotate, part[i], pictures[j], &caption.Result{Tags: lines[i].Objects}); err != nil {
					return err
				}
			}
		}
		p.pause()
		for i := range lines {
			lines[i].File = part[i]
			failed = failed || lines[i].Error != ""
			if err := a.printObjects(&lines[i]); err != nil {
				return err
			}
		}
		p.add(len(part))
	}
	if failed {
		return errReported
	}
	return nil
}

// readBatch decodes pictures; those that can't be read are reported by index,
// the others returned with theirs. Errors: the context's.
func (a *app) readBatch(ctx context.Context, names []string, bad func(i int, err error)) (pictures []*vision.Picture, which []int, err error) {
	for i, n := range names {
		p, err := a.readPicture(ctx, n)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			bad(i, err)
			continue
		}
		pictures, which = append(pictures, p), append(which, i)
	}
	return pictures, which, nil
}

// tags turns objects into what is printed, best first.
func tags(t *caption.Detector, found []detr.Object) []caption.Tag {
	list := make([]caption.Tag, 0, len(found))
	for _, o := range found {
		list = append(list, caption.Tag{Name: t.Labels()[o.Label], Score: o.Score, Box: o.Box})
	}
	slices.SortStableFunc(list, func(x, y caption.Tag) int {
		switch {
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return strings.Compare(x.Name, y.Name)
	})
	return list
}

func (a *app) printObjects(l *detectLine) error {
	switch {
	case a.json:
		return a.printJSON(l)
	case l.Error != "":
		_, err := fmt.Fprintf(a.err, "syntic: %s\n", l.Error)
		return err
	}
	w, flush := a.buffered()
	fmt.Fprintf(w, "%s: %d objects\n", l.File, len(l.Objects))
	for _, o := range l.Objects {
		fmt.Fprintf(w, "  %-16s %5.1f %%  %.0f,%.0f - %.0f,%.0f\n", o.Name, 100*o.Score, o.Box[0], o.Box[1], o.Box[2], o.Box[3])
	}
	return flush()
}
