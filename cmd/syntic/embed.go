package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"syntic/models/caption"
	"syntic/tensor"
	"syntic/tools/world"
	"syntic/weights"
)

type embedFlags struct {
	texts      []string
	textFile   string
	output     string
	similarity bool
	batch      int
	fetch      bool
}

func newEmbed(a *app) *cobra.Command {
	var f embedFlags
	cmd := &cobra.Command{
		Use:   "embed [PICTURE...]",
		Short: "Compute CLIP features of pictures and texts",
		Long: `Compute CLIP features, scaled to unit length, of pictures and of --text. They
are printed as JSON, one object a line, or written to --output: .safetensors
(tensors "pictures" and "texts") or .npy (pictures, then texts).
With --similarity, the cosine of every picture with every text is printed instead.`,
		Example: "  syntic embed photos/ --output features.safetensors\n  syntic embed " + world.Samples()[0] + " --text 'a zebra' --text 'a car' --similarity",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.embed(cmd.Context(), args, f) },
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.texts, "text", nil, "a text; may be given several times")
	fs.StringVar(&f.textFile, "texts", "", "a `FILE` of texts, one per line")
	fs.StringVarP(&f.output, "output", "o", "", "write features to this .safetensors or .npy `FILE`")
	fs.BoolVar(&f.similarity, "similarity", false, "print cosines of pictures and texts")
	fs.IntVar(&f.batch, "batch", 32, "pictures at a time")
	fs.BoolVar(&f.fetch, "fetch", false, "allow http and https URLs")
	return cmd
}

func (a *app) embed(ctx context.Context, args []string, f embedFlags) (err error) {
	if f.textFile != "" {
		c, err := caption.ReadCorpus(f.textFile)
		if err != nil {
			return err
		}
		for i := range c.Len() {
			f.texts = append(f.texts, c.At(i))
		}
	}
	if err := f.check(args); err != nil {
		return err
	}
	names, err := expand(args, f.fetch)
	if err != nil {
		return err
	}
	d, err := a.openDevice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	e, err := caption.LoadEncoder(d, a.modelDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	pictures, read, err := a.embedPictures(ctx, e, names, f.batch)
	if err != nil {
		return err
	}
	if len(read)+len(f.texts) == 0 {
		return errReported // nothing could be read, so there's nothing to write
	}
	texts, cut, err := e.Texts(ctx, f.texts)
	if err != nil {
		return err
	}
	if cut > 0 && !a.quiet {
		fmt.Fprintf(a.err, "syntic: %d texts have more tokens than CLIP reads (%d) and were cut\n", cut, e.CLIP.Config().Text.Positions)
	}
	switch {
	case f.similarity:
		err = a.printSimilarity(e, read, pictures, f.texts, texts)
	case f.output != "":
		err = writeFeatures(f.output, e.Dim(), pictures, texts)
	default:
		err = a.printFeatures(e.Dim(), read, pictures, f.texts, texts)
	}
	if err == nil && len(read) < len(names) {
		err = errReported
	}
	return err
}

func (f *embedFlags) check(args []string) error {
	ext := strings.ToLower(filepath.Ext(f.output))
	switch {
	case len(args)+len(f.texts) == 0:
		return usagef("embed what? Give pictures, --text or --texts")
	case f.similarity && (len(args) == 0 || len(f.texts) == 0):
		return usagef("--similarity needs pictures and texts")
	case slices.ContainsFunc(f.texts, func(t string) bool { return strings.TrimSpace(t) == "" }):
		return usagef("--text is empty")
	case f.output != "" && ext != ".safetensors" && ext != ".npy":
		return usagef("--output %s: the ending must be .safetensors or .npy", f.output)
	case f.batch < 1 || f.batch > 1024:
		return usagef("--batch %d: must lie between 1 and 1024", f.batch)
	}
	return nil
}

// embedPictures returns the features of the pictures that could be read, and
// their names; the others are reported.
func (a *app) embedPictures(ctx context.Context, e *caption.Encoder, names []string, batch int) (features []float32, read []string, err error) {
	p := a.newProgress("pictures", len(names))
	defer p.finish()
	for part := range slices.Chunk(names, batch) {
		pictures, which, err := a.readBatch(ctx, part, func(_ int, err error) {
			p.pause()
			fmt.Fprintf(a.err, "syntic: %v\n", err)
		})
		if err != nil {
			return nil, nil, err
		}
		f, err := e.Pictures(ctx, pictures, nil)
		if err != nil {
			return nil, nil, err
		}
		features = append(features, f...)
		for _, i := range which {
			read = append(read, part[i])
		}
		p.add(len(part))
	}
	return features, read, nil
}

func (a *app) printFeatures(dim int, names []string, pictures []float32, texts []string, textFeatures []float32) error {
	type line struct {
		File    string    `json:"file,omitempty"`
		Text    string    `json:"text,omitempty"`
		Feature []float32 `json:"feature"`
	}
	for i, n := range names {
		if err := a.printJSON(line{File: n, Feature: pictures[i*dim : (i+1)*dim]}); err != nil {
			return err
		}
	}
	for i, t := range texts {
		if err := a.printJSON(line{Text: t, Feature: textFeatures[i*dim : (i+1)*dim]}); err != nil {
			return err
		}
	}
	return nil
}

// printSimilarity prints cosines, and how CLIP would divide its belief among
// the texts.
func (a *app) printSimilarity(e *caption.Encoder, names []string, pictures []float32, texts []string, textFeatures []float32) error {
	scale, err := e.CLIP.Scale()
	if err != nil {
		return err
	}
	type match struct {
		Text        string  `json:"text"`
		Cosine      float64 `json:"cosine"`
		Probability float64 `json:"probability"`
	}
	d := e.Dim()
	w, flush := a.buffered()
	for i, n := range names {
		ms, sum := make([]match, len(texts)), 0.0
		for j, t := range texts {
			ms[j] = match{Text: t, Cosine: dot(pictures[i*d:(i+1)*d], textFeatures[j*d:(j+1)*d])}
			ms[j].Probability = math.Exp(float64(scale) * (ms[j].Cosine - 1))
			sum += ms[j].Probability
		}
		for j := range ms {
			ms[j].Probability /= sum
		}
		if a.json {
			if err := a.printJSON(struct {
				File  string  `json:"file"`
				Texts []match `json:"texts"`
			}{n, ms}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(w, n)
		for _, m := range ms {
			fmt.Fprintf(w, "  %.4f  %5.1f %%  %s\n", m.Cosine, 100*m.Probability, m.Text)
		}
	}
	return flush()
}

func dot(x, y []float32) float64 {
	s := 0.0
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

// writeFeatures writes a features file by its ending.
func writeFeatures(path string, dim int, pictures, texts []float32) error {
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		return writeNPY(path, dim, append(slices.Clone(pictures), texts...))
	}
	var list []weights.Info
	for _, t := range []struct {
		name string
		v    []float32
	}{{"pictures", pictures}, {"texts", texts}} {
		if len(t.v) > 0 {
			list = append(list, weights.Info{Name: t.name, Shape: []int{len(t.v) / dim, dim}, Data: tensor.FromF32(t.v, len(t.v)).Data})
		}
	}
	return weights.Write(path, list, nil)
}

// writeNPY writes a float32 matrix as a NumPy file.
// Source: numpy.lib.format, version 1.0.
func writeNPY(path string, dim int, v []float32) error {
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(v)/dim, dim)
	// Magic, version and length take 10 bytes; the header ends in a line feed
	// and fills a multiple of 64.
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o666))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after CloseAtomicallyReplace there is nothing left to clean
	if _, err := io.WriteString(f, "\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), byte(len(head) >> 8)})+head); err != nil {
		return err
	}
	if _, err := f.Write(tensor.FromF32(v, len(v)).Data); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
