package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/tensor/graph"
	"syntic/tools/world"
	"syntic/weights"
)

// app is what every command shares.
type app struct {
	in       io.Reader
	out, err io.Writer
	columns  int           // width of the terminal that messages go to; 0 for none
	patience time.Duration // how long one download may take

	// memory returns the bytes that this process may still take on the device; 0:
	// unknown.
	memory func(d graph.Device) int

	model   string
	device  string
	isa     string
	storage string

	precision string
	threads   int
	json      bool
	quiet     bool

	announced bool // the notice about the scale model was printed
	winograd  string
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "syntic",
		Short: "Caption pictures with an engine of its own",
		Long: `syntic describes pictures (SynTIC, AAAI 2024): CLIP feature, projection onto a
memory of texts, detected objects, language model, on a tensor engine written
from scratch. One static binary, no Python, nothing to install.

With no --model it uses a built-in scale model trained on an emoji world.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	f := root.PersistentFlags()
	f.StringVar(&a.model, "model", "", "model `DIR` with clip/, detr/, captioner/ and sd/; generate takes one checkpoint file too (default: the built-in scale model)")
	f.StringVar(&a.device, "device", "cpu", "where to compute: cpu, cuda or cuda:N")
	f.StringVar(&a.isa, "isa", "", "CPU instruction set: portable, avx2 or avx512 (default: SYNTIC_ISA, then the best)")
	f.IntVar(&a.threads, "threads", 0, "CPU threads (default: SYNTIC_THREADS, then all allowed cores)")
	f.StringVar(&a.storage, "weights", "auto", "how matrices are kept in memory: f32, f16 or bf16, or auto: halves of the checkpoint stay halves, which loses nothing, the rest is f32")
	f.StringVar(&a.precision, "precision", "f32", "what products are computed in: f32, f16 (GPUs), bf16 (GPUs, some CPUs) or int8 (some CPUs; see doctor); sums are f32")
	f.StringVar(&a.winograd, "winograd", "", "Winograd's algorithm in 3×3 convolutions: off, f2 (as exact), f4 (errors below 1e-6); default: f4 to draw, else f2")
	f.BoolVar(&a.json, "json", false, "print JSON: one document, or one object a line for streams")
	f.BoolVar(&a.quiet, "quiet", false, "no progress and no notices")
	root.AddCommand(newBench(a), newCaption(a), newDetect(a), newGenerate(a), newEmbed(a), newMemory(a), newSynth(a), newEvaluate(a), newVerify(a), newInspect(a), newDoctor(a), newVersion(a))
	return root
}

// noArgs is cobra.NoArgs as a mistake in the command line, with a hint where a
// command of nearly that name exists.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return usagef("%s takes no argument like %q", cmd.CommandPath(), args[0])
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("no command %q", args[0])
}

// exactly is cobra.ExactArgs with a plainer message.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// modelDir returns the folder of --model, or the scale model's, saying so
// once.
func (a *app) modelDir() weights.Dir {
	if a.model != "" {
		return weights.DiskDir(a.model)
	}
	if !a.quiet && !a.announced {
		a.announced = true
		fmt.Fprintln(a.err, "syntic: "+world.Notice)
	}
	return world.Model()
}

// printJSON writes one object a line.
func (a *app) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// buffered returns a writer to standard output and the function that ends it.
func (a *app) buffered() (*bufio.Writer, func() error) {
	w := bufio.NewWriter(a.out)
	return w, w.Flush
}
