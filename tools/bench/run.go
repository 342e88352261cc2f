package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"syntic/tensor/graph"
)

// Options choose how workloads are measured.
type Options struct {
	Rounds  int           // times that each workload is prepared and measured anew
	MinTime time.Duration // of measuring, a round and workload; at least one run
	Device  func() (graph.Device, error)

	Machine   Machine
	Threads   int     // of Device's devices
	Precision string  // how they compute, for the report
	MaxNMSE   float64 // a kernel's error above it is wrong
}

// MaxRounds is the most rounds that a report has.
const MaxRounds = 100

// maxRuns is the most runs of one workload in one round.
const maxRuns = 1000

// Result is how one workload went.
type Result struct {
	Name      string  `json:"name"`
	Kind      string  `json:"kind"`
	Shape     string  `json:"shape"`
	Threads   int     `json:"threads"`
	Precision string  `json:"precision"`
	Seconds   float64 `json:"median_s"` // the median of Rounds
	// Spread is the median distance of a round from the median, relative to it.
	Spread float64   `json:"spread"`
	Rounds []float64 `json:"rounds_s"` // each round's median
	GFLOPS float64   `json:"gflops,omitempty"`
	GBps   float64   `json:"gbps,omitempty"`
	// Percent is the share of the machine's peak, of arithmetic where GFLOPS is
	// given, else of memory: above 100 where an operand fits into a cache, or
	// where an algorithm needs fewer operations than are counted.
	Percent float64 `json:"percent_of_peak,omitempty"`
	// NMSE is Σ(y-ref)²/Σref² of a part of the result; absent for models, and
	// infinite, shown as -1, when the result isn't finite.
	NMSE  *float64 `json:"nmse,omitempty"`
	Wrong bool     `json:"wrong,omitempty"` // NMSE is above the limit
}

// Run measures the workloads in rounds, A B C A B C …, so that a disturbance
// hits a round of many and not all of one; every round prepares its workload
// anew, so that rounds are independent of one another and memory holds one
// workload at a time. tick is called after each workload of each round.
//
// Errors: ctx's, or those of a workload, with its name.
func Run(ctx context.Context, list []Work, o Options, tick func()) (*Report, error) {
	if o.Rounds < 1 || o.Rounds > MaxRounds {
		return nil, fmt.Errorf("%d rounds: must lie between 1 and %d", o.Rounds, MaxRounds)
	}
	rep := &Report{Date: time.Now().UTC().Truncate(time.Second), Machine: o.Machine, Threads: o.Threads, Precision: o.Precision, MinTime: o.MinTime.Seconds()}
	for i := range list {
		w := &list[i]
		rep.Results = append(rep.Results, Result{Name: w.Name, Kind: w.Kind, Shape: w.dims(), Threads: o.Threads, Precision: o.Precision})
	}
	for range o.Rounds {
		for i, w := range list {
			if err := rep.Results[i].round(ctx, w, &o); err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			tick()
		}
	}
	for i, w := range list {
		rep.Results[i].finish(&w, &o.Machine)
	}
	return rep, nil
}

// round prepares and measures the workload once, and checks it the first time.
func (r *Result) round(ctx context.Context, w Work, o *Options) (err error) {
	j, err := prepare(ctx, w, o.Device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	if _, err := j.warm(ctx); err != nil {
		return err
	}
	if len(r.Rounds) == 0 && j.nmse != nil {
		e := j.nmse()
		r.judge(e, o.MaxNMSE)
	}
	wall, _, err := j.measure(ctx, o.MinTime, maxRuns)
	if err != nil {
		return err
	}
	r.Rounds = append(r.Rounds, median(wall))
	return nil
}

// judge keeps a kernel's error.
func (r *Result) judge(nmse, limit float64) {
	r.Wrong = !(nmse <= limit)
	if !finite(nmse) {
		nmse = -1 // JSON has no infinity
	}
	r.NMSE = &nmse
}

// finish computes what follows from the rounds. A clock too coarse to see a run
// leaves the rates out.
func (r *Result) finish(w *Work, m *Machine) {
	r.Seconds = median(r.Rounds)
	if r.Seconds <= 0 {
		return
	}
	away := make([]float64, len(r.Rounds))
	for i, s := range r.Rounds {
		away[i] = max(s-r.Seconds, r.Seconds-s)
	}
	r.Spread = median(away) / r.Seconds
	rate, peak := &r.GFLOPS, m.PeakGFLOPS
	work := w.FLOPs
	if w.FLOPs == 0 {
		rate, peak, work = &r.GBps, m.TriadGBps, w.Bytes
	}
	*rate = work / r.Seconds / 1e9
	if peak > 0 {
		r.Percent = 100 * *rate / peak
	}
}

// median returns the middle value, the mean of the two middle ones of an even
// number, 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	h := len(s) / 2
	if len(s)%2 == 1 {
		return s[h]
	}
	return (s[h-1] + s[h]) / 2
}
