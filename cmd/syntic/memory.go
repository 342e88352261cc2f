package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/models/caption"
	"syntic/tensor"
	"syntic/weights"
)

func newMemory(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "memory",
		Short: "Make and inspect support memories",
		Long: `A support memory holds texts and their CLIP features. Captions are drawn towards
them, so a memory of another domain's texts adapts a captioner without training:
  syntic memory build texts.txt -o texts.safetensors
  syntic caption --memory texts.safetensors photo.jpg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemoryBuild(a), newMemoryInfo(a))
	return cmd
}

type buildFlags struct {
	output   string
	dtype    string
	features string
	dim      int
}

func newMemoryBuild(a *app) *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build TEXTS",
		Short: "Encode a text file, one text per line, or a JSON list of texts",
		Example: `  syntic memory build captions.txt -o captions.safetensors --model ~/models/syntic
  syntic memory build names.json --features features.f32 --dim 512 -o names.safetensors`,
		Args: exactly(1, "a text file"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.memoryBuild(cmd.Context(), args[0], f) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.output, "output", "o", "", "the memory `FILE` to write (required)")
	fs.StringVar(&f.dtype, "dtype", "f16", "how features are stored: f32, f16 or bf16")
	fs.StringVar(&f.features, "features", "", "take the features from this .safetensors, .npy or .f32 `FILE` instead of computing them")
	fs.IntVar(&f.dim, "dim", 512, "values per feature of a .f32 file")
	return cmd
}

func (a *app) memoryBuild(ctx context.Context, path string, f buildFlags) (err error) {
	if f.output == "" {
		return usagef("memory build needs --output FILE")
	}
	types := map[string]tensor.DType{"f32": weights.F32, "f16": weights.F16, "bf16": weights.BF16}
	dtype, ok := types[f.dtype]
	if !ok {
		return usagef("--dtype %s: must be f32, f16 or bf16", f.dtype)
	}
	c, err := readTexts(path)
	if err != nil {
		return err
	}
	if f.features != "" {
		v, dim, err := caption.ReadFeatures(f.features, f.dim)
		if err != nil {
			return err
		}
		return caption.ImportMemory(f.output, v, dim, c, dtype)
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
	p := a.newProgress("texts", c.Len())
	defer p.finish()
	cut, err := caption.BuildMemory(ctx, f.output, e, c, dtype, p.add)
	if cut > 0 && !a.quiet {
		fmt.Fprintf(a.err, "syntic: %d texts have more tokens than CLIP reads (%d) and were cut\n", cut, e.CLIP.Config().Text.Positions)
	}
	return err
}

// readTexts reads a text file or a JSON list of strings.
func readTexts(path string) (*caption.Corpus, error) {
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		return caption.ReadCorpus(path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: a list of texts is expected: %w", path, err)
	}
	c := caption.NewCorpus(list)
	if c.Len() != len(list) || c.Len() == 0 {
		return nil, fmt.Errorf("%s: the list is empty or holds blank texts", path)
	}
	return c, nil
}

func newMemoryInfo(a *app) *cobra.Command {
	var like string
	var n int
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Show a memory's size, and the neighbours of one of its texts",
		Args:  exactly(1, "a memory file"),
		RunE:  func(_ *cobra.Command, args []string) error { return a.memoryInfo(args[0], like, n) },
	}
	cmd.Flags().StringVar(&like, "like", "", "show the texts nearest to this one, which must be in the memory")
	cmd.Flags().IntVarP(&n, "number", "n", 5, "how many")
	return cmd
}

func (a *app) memoryInfo(path, like string, n int) (err error) {
	if n < 1 {
		return usagef("--number %d: must be at least 1", n)
	}
	m, err := caption.OpenMemory(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	info := struct {
		File    string            `json:"file"`
		Texts   int               `json:"texts"`
		Dim     int               `json:"dim"`
		DType   string            `json:"dtype"`
		First   string            `json:"first"`
		Nearest []caption.Support `json:"nearest,omitempty"`
	}{path, m.Len(), m.Dim(), m.DType().String(), m.Text(0), nil}
	if like != "" {
		if info.Nearest, err = nearestTo(m, like, n); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(info)
	}
	w, flush := a.buffered()
	fmt.Fprintf(w, "%s: %d texts, features of %d %s values, the first: %s\n", path, info.Texts, info.Dim, info.DType, info.First)
	for _, s := range info.Nearest {
		fmt.Fprintf(w, "  %.4f  %s\n", s.Weight, s.Text)
	}
	return flush()
}

// nearestTo returns the neighbours of a text of the memory.
func nearestTo(m *caption.Memory, like string, n int) ([]caption.Support, error) {
	for i := range m.Len() {
		if m.Text(i) == like {
			f := make([]float32, m.Dim())
			if err := m.Feature(f, i); err != nil {
				return nil, err
			}
			return m.Search(f, n)
		}
	}
	return nil, fmt.Errorf("%s: %q isn't one of its texts", m.Name(), like)
}
