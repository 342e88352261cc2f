package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syntic/kernels/isa"
	"syntic/models/caption"
)

type doctorFlags struct {
	plan          bool
	batch         int
	width, height int
	beams         int
}

func newDoctor(a *app) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine offers and what would be used",
		Long: `Show the processor, its caches, the kernels chosen and why, the memory, and the
GPU or why none is used. With --plan, also load the model and print the memory
that captioning needs, part by part, without captioning.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.plan, "plan", false, "plan the memory of captioning")
	fs.IntVar(&f.batch, "batch", 1, "with --plan: pictures at a time")
	fs.IntVar(&f.width, "width", 640, "with --plan: the pictures' width")
	fs.IntVar(&f.height, "height", 480, "with --plan: the pictures' height")
	fs.IntVar(&f.beams, "beams", 0, "with --plan: beams")
	return cmd
}

// report is what doctor finds.
type report struct {
	CPU       string      `json:"cpu"`
	Arch      string      `json:"arch"`
	Cores     int         `json:"cores_of_machine"`
	Threads   int         `json:"threads"`
	Levels    []string    `json:"instruction_sets"`
	Chosen    string      `json:"chosen"`
	BF16      []string    `json:"bf16"` // what --precision bf16 may use, slowest first
	Int8      []string    `json:"int8"` // likewise
	Why       string      `json:"why"`
	Caches    isa.Cache   `json:"caches"`
	MemoryKiB int         `json:"memory_KiB"`
	FreeKiB   int         `json:"available_KiB"`
	GPU       string      `json:"gpu"`
	Plan      *memoryPlan `json:"plan,omitempty"`
}

// memoryPlan is the memory of captioning, in bytes.
type memoryPlan struct {
	Weights int             `json:"weights"`
	Stages  []caption.Stage `json:"stages"`
	Total   int             `json:"total"`
	PeakKiB int             `json:"peak_rss_KiB"` // of this process, after building everything
}

func (a *app) doctor(ctx context.Context, f doctorFlags) (err error) {
	d, err := a.openCPU()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	r := report{
		CPU: isa.Name(), Arch: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Threads: d.Threads(),
		Chosen: d.Table().ISA.String(), Why: a.whyISA(), Caches: isa.Caches(), GPU: gpuNote(),
	}
	for _, l := range isa.All() {
		r.Levels = append(r.Levels, l.String())
	}
	for _, p := range isa.BF16() {
		r.BF16 = append(r.BF16, p.String())
	}
	for _, p := range isa.Int8() {
		r.Int8 = append(r.Int8, p.String())
	}
	r.MemoryKiB, r.FreeKiB = statusField("/proc/meminfo", "MemTotal"), statusField("/proc/meminfo", "MemAvailable")
	if f.plan {
		on, err := a.openDevice()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, on.Close()) }()
		m, err := caption.Load(ctx, on, a.modelDir())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		stages, err := m.Plan(f.batch, f.width, f.height, caption.Options{Beams: f.beams})
		if err != nil {
			return err
		}
		held := on.(interface{ WeightBytes() int }).WeightBytes()
		r.Plan = &memoryPlan{Weights: held, Stages: stages, Total: held}
		for _, s := range stages {
			r.Plan.Total += s.Arena + s.States
		}
		r.Plan.PeakKiB = statusField("/proc/self/status", "VmHWM")
	}
	if a.json {
		return a.printJSON(r)
	}
	return a.printReport(&r)
}

func (a *app) whyISA() string {
	switch {
	case a.isa != "":
		return "--isa"
	case os.Getenv("SYNTIC_ISA") != "":
		return "SYNTIC_ISA"
	}
	return "the fastest that this CPU runs"
}

// statusField returns a number of kibibytes from one of Linux's status files, 0
// where there's none.
func statusField(path, name string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		if f := strings.Fields(value); key == name && len(f) > 0 {
			n, err := strconv.Atoi(f[0])
			if err == nil {
				return n
			}
		}
	}
	return 0
}

func (a *app) printReport(r *report) error {
	w, flush := a.buffered()
	fmt.Fprintf(w, "processor      %s, %s\n", r.CPU, r.Arch)
	fmt.Fprintf(w, "cores          %d in the machine, %d threads in use\n", r.Cores, r.Threads)
	fmt.Fprintf(w, "caches         L1 %s, L2 %s, L3 %s\n", size(r.Caches.L1D), size(r.Caches.L2), size(r.Caches.L3))
	fmt.Fprintf(w, "kernels        %s (%s); this CPU runs %s\n", r.Chosen, r.Why, strings.Join(r.Levels, ", "))
	with := func(have []string, lacking string) string {
		if n := len(have); n > 0 {
			return "with " + have[n-1]
		}
		return "takes " + lacking
	}
	fmt.Fprintf(w, "precisions     f32; bf16 %s; int8 %s\n", with(r.BF16, "AMX-BF16 or AVX512_BF16"), with(r.Int8, "AVX512_VNNI"))
	fmt.Fprintf(w, "memory         %s, %s available\n", size(r.MemoryKiB<<10), size(r.FreeKiB<<10))
	fmt.Fprintf(w, "GPU            %s\n", r.GPU)
	if r.Plan != nil {
		fmt.Fprintf(w, "plan\n  %-24s %10s\n", "packed weights", size(r.Plan.Weights))
		for _, s := range r.Plan.Stages {
			fmt.Fprintf(w, "  %-24s %10s", s.Name, size(s.Arena))
			if s.States > 0 {
				fmt.Fprintf(w, "  and %s of keys and values", size(s.States))
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %-24s %10s\n  %-24s %10s\n", "in all", size(r.Plan.Total), "peak of this process", size(r.Plan.PeakKiB<<10))
	}
	return flush()
}

// size writes bytes in the unit that fits, "unknown" for none.
func size(n int) string {
	switch {
	case n <= 0:
		return "unknown"
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
