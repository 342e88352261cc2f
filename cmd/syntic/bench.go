package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/tools/bench"
)

// benchFlags are the bench command's own.
type benchFlags struct {
	only     string
	markdown bool
	rounds   int
	minTime  time.Duration
}

// maxNMSE is, by precision, the error above which a kernel's result is called wrong: 20 to 70
// times the largest that all workloads show, 1.5e-12, 4.5e-8, 3.0e-6 and 8.7e-5.
var maxNMSE = map[string]float64{"f32": 1e-10, "f16": 1e-6, "bf16": 1e-4, "int8": 3e-3}

func newBench(a *app) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [kernels|models|heavy|large]",
		Short: "Measure the kernels and models on this machine",
		Long: `Measure kernels and models: the median time, the rate, its share of the measured
peak of this machine, how far rounds lay apart, and each kernel's error against
the reference. The exit code is 1 when a kernel's result is wrong. The heavy
set, of Stable Diffusion, takes up to 10 GB of memory, the large one, for GPUs,
whole pictures and big batches; both run only when named.`,
		Example: `  syntic bench kernels --only 'conv3x3' --threads 1
  syntic bench --json > before.json
  syntic bench compare before.json after.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("bench takes one set of workloads, kernels, models, heavy or large; got %s", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.bench(cmd.Context(), strings.Join(args, ""), f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.only, "only", "", "only workloads whose names match this regular expression")
	fs.IntVar(&f.rounds, "rounds", 5, "times that every workload is prepared and measured; comparisons need 5")
	fs.DurationVar(&f.minTime, "min-time", 300*time.Millisecond, "time to measure, a workload and round")
	cmd.PersistentFlags().BoolVar(&f.markdown, "markdown", false, "print a Markdown table")
	cmd.AddCommand(newBenchWorker(a), newBenchCompare(a, &f))
	return cmd
}

func (a *app) bench(ctx context.Context, set string, f benchFlags) error {
	only, err := regexp.Compile(f.only)
	if err != nil {
		return usagef("--only: %v", err)
	}
	list, err := bench.Select(set, only)
	if err != nil {
		return &usageError{err}
	}
	if f.rounds < 1 || f.rounds > bench.MaxRounds {
		return usagef("--rounds %d: must lie between 1 and %d", f.rounds, bench.MaxRounds)
	}
	if f.minTime < 0 {
		return usagef("--min-time %v: can't be negative", f.minTime)
	}
	machine, threads, err := a.machine()
	if err != nil {
		return err
	}
	p := a.newProgress("measurements", f.rounds*len(list))
	defer p.finish()
	rep, err := bench.Run(ctx, list, bench.Options{
		Rounds: f.rounds, MinTime: f.minTime, Device: a.openDevice,
		Machine: machine, Threads: threads, Precision: a.arithmetic(), MaxNMSE: a.maxNMSE(),
	}, func() { p.add(1) })
	if err != nil {
		return err
	}
	p.pause()
	if err := a.printTable(rep, f.markdown); err != nil {
		return err
	}
	if wrong := rep.Wrong(); len(wrong) > 0 {
		return fmt.Errorf("wrong results: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// machine says where the flags have a measurement run.
func (a *app) machine() (m bench.Machine, threads int, err error) {
	if a.device == "cpu" {
		d, err := a.openCPU()
		if err != nil {
			return m, 0, err
		}
		return bench.Describe(d), d.Threads(), d.Close()
	}
	d, err := a.openDevice()
	if err != nil {
		return m, 0, err
	}
	return bench.DescribeGPU(d.Name()), 1, d.Close()
}

// maxNMSE is the error above which a kernel's result is called wrong.
func (a *app) maxNMSE() float64 { return max(maxNMSE[a.storage], maxNMSE[a.precision]) }

// arithmetic names how the flags make a device compute.
func (a *app) arithmetic() string {
	s := a.precision
	if a.storage == "f16" || a.storage == "bf16" {
		s += ", " + a.storage + " weights"
	}
	if a.winograd != "" {
		s += ", winograd " + a.winograd
	}
	return s
}

// table is what bench and bench compare print.
type table interface {
	JSON(io.Writer) error
	Markdown(io.Writer) error
	Text(io.Writer) error
}

func (a *app) printTable(t table, markdown bool) error {
	w, flush := a.buffered()
	write := t.Text
	switch {
	case a.json:
		write = t.JSON
	case markdown:
		write = t.Markdown
	}
	if err := write(w); err != nil {
		return err
	}
	return flush()
}

func newBenchWorker(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "worker THREADS",
		Short: "Race beside other engines, by the protocol of peers_cpu.py on standard input",
		Example: `  peers_cpu.py --extra syntic='syntic bench worker'
  peers_cpu.py --extra bf16='syntic --weights bf16 bench worker'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("bench worker takes the number of threads")
			}
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 {
				return usagef("bench worker %s: must be a number of threads from 1", args[0])
			}
			a.threads = n
			d, err := a.openDevice()
			if err != nil {
				return err
			}
			info := fmt.Sprintf("syntic %s %s, %s", bench.Commit(), d.Name(), a.arithmetic())
			if err := d.Close(); err != nil {
				return err
			}
			return bench.Serve(cmd.Context(), a.in, a.out, a.openDevice, info)
		},
	}
}

func newBenchCompare(a *app, f *benchFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "compare A.json B.json",
		Short:   "Compare two reports of bench --json, telling changes from noise",
		Example: `  syntic bench compare before.json after.json`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("bench compare takes two reports of bench --json")
			}
			x, err := bench.ReadReport(args[0])
			if err != nil {
				return err
			}
			y, err := bench.ReadReport(args[1])
			if err != nil {
				return err
			}
			c, err := bench.Compare(x, y)
			if err != nil {
				return err
			}
			return a.printTable(c, f.markdown)
		},
	}
}
