package bench

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/tensor/graph"
)

func options() Options {
	return Options{
		Rounds: 3, Device: device(""), Threads: 2, Precision: "f32", MaxNMSE: 1e-10,
		Machine: Machine{CPU: "abacus", Cores: 2, ISA: "beads", Go: "go1", Commit: "c0ffee", PeakGFLOPS: 100, TriadGBps: 10},
	}
}

func TestRun(t *testing.T) {
	ticks := 0
	list := tiny[:2]
	list[0].FLOPs = 1e6
	rep, err := Run(t.Context(), list, options(), func() { ticks++ })
	require.NoError(t, err)
	require.Equal(t, 6, ticks)
	require.Empty(t, rep.Wrong())
	require.Len(t, rep.Results, 2)
	for _, r := range rep.Results {
		require.Len(t, r.Rounds, 3)
		require.Positive(t, r.Seconds)
		require.Less(t, *r.NMSE, 1e-11)
	}
	r := rep.Results[0]
	require.InEpsilon(t, 1e-3/r.Seconds, r.GFLOPS, 1e-9)
	require.InEpsilon(t, r.GFLOPS, r.Percent, 1e-9)

	o := options()
	o.MaxNMSE = -1
	rep, err = Run(t.Context(), list, o, func() {})
	require.NoError(t, err)
	require.Equal(t, []string{"gemm", "row"}, rep.Wrong())

	_, err = Run(t.Context(), []Work{{Name: "wrong", Kind: "gemm"}}, o, func() {})
	require.ErrorContains(t, err, "wrong: ")
	broken := errors.New("no device")
	o.Device = func() (graph.Device, error) { return nil, broken }
	_, err = Run(t.Context(), list, o, func() {})
	require.ErrorIs(t, err, broken)
	for _, n := range []int{0, MaxRounds + 1} {
		o.Rounds = n
		_, err = Run(t.Context(), list, o, func() {})
		require.ErrorContains(t, err, "rounds")
	}
}

// TestFinish checks the arithmetic, and that nothing divides by zero.
func TestFinish(t *testing.T) {
	m := &Machine{PeakGFLOPS: 100, TriadGBps: 10}
	r := Result{Rounds: []float64{3, 1, 2, 8}}
	r.finish(&Work{FLOPs: 5e9}, m)
	require.Equal(t, 2.5, r.Seconds)
	require.Equal(t, 0.4, r.Spread) // |3-2.5|, |1-2.5|, |2-2.5|, |8-2.5| have the median 1
	require.Equal(t, 2.0, r.GFLOPS)
	require.Equal(t, 2.0, r.Percent)
	r = Result{Rounds: []float64{2}}
	r.finish(&Work{Bytes: 4e9}, m)
	require.Equal(t, 2.0, r.GBps)
	require.Equal(t, 20.0, r.Percent)
	require.Zero(t, r.GFLOPS)
	r.finish(&Work{Bytes: 4e9}, &Machine{})
	for _, rounds := range [][]float64{nil, {0}, {0, 0, 0}} {
		r := Result{Rounds: rounds}
		r.finish(&Work{FLOPs: 1}, m)
		require.Equal(t, Result{Rounds: rounds}, r)
	}
	r = Result{Rounds: []float64{1}}
	r.finish(&Work{FLOPs: 1e9}, &Machine{})
	require.Zero(t, r.Percent)

	r.judge(math.Inf(1), 1e-10)
	require.True(t, r.Wrong)
	require.Equal(t, -1.0, *r.NMSE)
}

func sample() *Report {
	small, big := 2.5e-14, 0.5
	return &Report{
		Date: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), Threads: 2, Precision: "f32", MinTime: 0.3, Machine: options().Machine,
		Results: []Result{
			{Name: "gemm 1x2x3", Kind: "gemm", Shape: "[1,2]·[2,3]", Threads: 2, Precision: "f32", Seconds: 0.0125, Spread: 0.013, Rounds: []float64{0.0125, 0.0125}, GFLOPS: 81.25, Percent: 81.25, NMSE: &small},
			{Name: "relu 4", Kind: "op", Shape: "[4] * 1", Threads: 2, Precision: "f32", Seconds: 2e-6, Rounds: []float64{2e-6}, GBps: 3, Percent: 30, NMSE: &big, Wrong: true},
			{Name: "detr", Kind: "model", Shape: "[1,8,8,3]", Threads: 2, Precision: "f32", Seconds: 1.5, Rounds: []float64{1.5}},
		},
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().Text(&b))
	require.Equal(t, strings.TrimLeft(`
abacus, beads, 2 thread(s), f32; peak 100 GFLOP/s, triad 10 GB/s; go1, commit c0ffee, 2026-11-23
workload    shape        threads  precision  time     spread  rate           of peak  NMSE
gemm 1x2x3  [1,2]·[2,3]  2        f32        12.5 ms  1.3 %   81.25 GFLOP/s  81 %     2.5e-14
relu 4      [4] * 1      2        f32        2 µs             3 GB/s         30 %     5.0e-01 WRONG
detr        [1,8,8,3]    2        f32        1.5 s                                    
`, "\n"), b.String())
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().Markdown(&b))
	require.Contains(t, b.String(), "abacus, beads, 2 thread(s), f32;")
	require.Contains(t, b.String(), "\n\n| workload | shape | threads | precision | time | spread | rate | of peak | NMSE |\n|---|---|---|---|---|---|---|---|---|\n")
	require.Contains(t, b.String(), "| relu 4 | [4] \\* 1 | 2 | f32 | 2 µs |  | 3 GB/s | 30 % | 5.0e-01 WRONG |\n")
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().JSON(&b))
	for _, key := range []string{`"cpu": "abacus"`, `"commit": "c0ffee"`, `"date": "2026-11-23T01:02:03Z"`, `"isa": "beads"`, `"threads": 2`, `"median_s": 0.0125`, `"gflops": 81.25`, `"percent_of_peak": 81.25`} {
		require.Contains(t, b.String(), key)
	}
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	back, err := ReadReport(path)
	require.NoError(t, err)
	require.Equal(t, sample(), back)
}

func TestReadReportErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadReport(filepath.Join(dir, "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	rounds := strings.TrimSuffix(strings.Repeat("1,", MaxRounds+1), ",")
	for text, want := range map[string]string{
		`nonsense`: "not a report", `{}`: "no results", `{"results":[{"name":"x","median_s":-1}]}`: `"x"`,
		`{"results":[{"name":"x","rounds_s":[` + rounds + `]}]}`: `"x"`,
	} {
		path := filepath.Join(dir, "bad.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := ReadReport(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "bad.json")
	}
}

func TestMachine(t *testing.T) {
	level, err := isa.Best()
	require.NoError(t, err)
	require.Positive(t, triad(level, 2, 1001))
	together(3, func(int) {})
	require.NotEmpty(t, Commit())
}
