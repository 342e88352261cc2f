package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"syntic/models/sd"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
)

// drawPlan is what drawing will take.
type drawPlan struct {
	Stages    []stagePlan `json:"stages"`
	Weights   int         `json:"weights"` // bytes, packed
	Resident  int         `json:"all_at_once"`
	Lean      int         `json:"stage_by_stage"`
	Available int         `json:"available"` // 0: unknown
	Way       string      `json:"way"`       // atOnce or inTurns
	Seconds   float64     `json:"seconds,omitempty"`
}

// stagePlan is one stage of it.
type stagePlan struct {
	Name    string  `json:"name"`
	Runs    int     `json:"runs"`
	Weights int     `json:"weights"`
	Memory  int     `json:"memory"`            // activations and states
	GFLOP   float64 `json:"gflop"`             // of a run
	Seconds float64 `json:"seconds,omitempty"` // of all runs; 0: unknown
}

// planDrawing tells what a batch takes; timed, also about how long. It has latents
// decoded one at a time where memory is short otherwise, or short of all towers at
// once: reading their weights for every batch takes longer.
func (a *app) planDrawing(d graph.Device, p *sd.Pipeline, batch, batches int, s *sd.Settings, timed bool) (*drawPlan, error) {
	plan, err := a.planSettings(d, p, batch, batches, *s, timed)
	if err != nil || s.Singly || !plan.short() && (batches == 1 || plan.Way == atOnce) {
		return plan, err
	}
	singly := *s
	singly.Singly = true
	single, err := a.planSettings(d, p, batch, batches, singly, timed)
	if err == nil && (plan.short() || single.Way == atOnce) {
		*s = singly
		return single, nil
	}
	return plan, err
}

// The ways of keeping towers.
const (
	atOnce  = "all at once"
	inTurns = "stage by stage"
)

func (a *app) planSettings(d graph.Device, p *sd.Pipeline, batch, batches int, s sd.Settings, timed bool) (*drawPlan, error) {
	stages, err := p.Plan(batch, s)
	if err != nil {
		return nil, err
	}
	rate := 0.0
	if c, ok := d.(*cpu.Device); ok && timed {
		// Plain operations a second, of which Winograd's convolutions save many: on
		// an AVX2 machine the UNet does as many as the peak of multiply-adds, the
		// decoder 2.4 times as many, so its estimate is high.
		rate = c.PeakFLOPS(20*time.Millisecond) * float64(c.Threads())
		switch a.precision {
		case "bf16": // bounded by the memory of activations: a quarter of the tiles' peak
			rate /= 4
		case "int8": // attention, in float32, takes two fifths of the time
			rate /= 1.7
		}
	}
	plan := &drawPlan{Available: a.memory(d)}
	weights := map[any]int{}
	for _, st := range stages {
		line := stagePlan{Name: st.Name, Runs: st.Runs, Memory: graph.Bytes(st.Need), GFLOP: st.FLOPs / 1e9}
		for form, n := range st.Weights {
			line.Weights += n
			line.Memory -= n
			weights[form] = n
		}
		if rate > 0 {
			line.Seconds = st.FLOPs * float64(st.Runs) / rate
			plan.Seconds += line.Seconds * float64(batches)
		}
		plan.Stages = append(plan.Stages, line)
	}
	for _, n := range weights {
		plan.Weights += n
	}
	plan.Resident, plan.Lean = sd.Resident(stages)
	// For one batch nothing is gained by keeping a tower after its stage.
	plan.Way = atOnce
	if batches == 1 || plan.Available > 0 && plan.Resident > plan.Available {
		plan.Way = inTurns
	}
	return plan, nil
}

// short reports whether the memory can't hold what is planned.
func (plan *drawPlan) short() bool { return plan.Available > 0 && plan.Lean > plan.Available }

// fits chooses how a pipeline keeps its towers, and refuses what memory can't
// hold.
func (plan *drawPlan) fits(p *sd.Pipeline) error {
	if plan.short() {
		return fmt.Errorf("this needs %s of memory and %s are available; take --weights f16, a smaller size or --batch, or --tiles (see --plan)", size(plan.Lean), size(plan.Available))
	}
	p.Lean = plan.Way == inTurns
	return nil
}

func (a *app) printPlan(plan *drawPlan) error {
	if a.json {
		return a.printJSON(plan)
	}
	w, flush := a.buffered()
	fmt.Fprintf(w, "%-26s %6s %12s %12s %12s %10s\n", "stage", "runs", "weights", "memory", "GFLOP a run", "time")
	for _, s := range plan.Stages {
		fmt.Fprintf(w, "%-26s %6d %12s %12s %12.1f %10s\n", s.Name, s.Runs, size(s.Weights), size(s.Memory), s.GFLOP, about(s.Seconds))
	}
	fmt.Fprintf(w, "peak, all at once          %s\n", size(plan.Resident))
	fmt.Fprintf(w, "peak, stage by stage       %s\n", size(plan.Lean))
	fmt.Fprintf(w, "available                  %s: %s\n", size(plan.Available), plan.Way)
	fmt.Fprintf(w, "time of all pictures       about %s\n", about(plan.Seconds))
	return flush()
}

// about rounds an estimated time.
func about(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds <= 0:
		return "unknown"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// availableMemory returns the bytes this process may still take: a GPU's free
// memory, the machine's available memory, or what its control group leaves. 0:
// unknown.
func availableMemory(d graph.Device) int {
	if gpu, ok := d.(interface{ Free() int }); ok {
		return gpu.Free()
	}
	n := statusField("/proc/meminfo", "MemAvailable") << 10
	limit, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return n
	}
	used, err := os.ReadFile("/sys/fs/cgroup/memory.current")
	if err != nil {
		return n
	}
	l, e1 := strconv.Atoi(strings.TrimSpace(string(limit)))
	u, e2 := strconv.Atoi(strings.TrimSpace(string(used)))
	if e1 != nil || e2 != nil { // "max": no limit
		return n
	}
	if n == 0 {
		return max(l-u, 0)
	}
	return min(n, max(l-u, 0))
}
