package bench

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"syntic/kernels/elem"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/tensor/cpu"
)

// Machine says where and by what a report was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"` // that the process may use
	ISA    string `json:"isa"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Go     string `json:"go"`
	GPU    string `json:"gpu,omitempty"` // that computed
	Commit string `json:"commit"`        // with "+dirty" for changed files; "unknown" without build information

	// The ceilings of as many threads as the report uses, measured beforehand; 0 for a
	// GPU's, of which they aren't.
	PeakGFLOPS float64 `json:"peak_gflops"`
	TriadGBps  float64 `json:"triad_gbps"`
}

// DescribeGPU says that a device of this name computed.
func DescribeGPU(device string) Machine {
	return Machine{CPU: isa.Name(), Cores: isa.Cores(), GPU: device, OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Commit: Commit()}
}

// Describe measures the machine's ceilings for a device's kernels and number of
// threads, which takes about a second.
func Describe(d *cpu.Device) Machine {
	l, threads := d.Table().ISA, d.Threads()
	return Machine{
		CPU: isa.Name(), Cores: isa.Cores(), ISA: l.String(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Commit: Commit(),
		PeakGFLOPS: peakFLOPS(d) / 1e9, TriadGBps: triad(l, threads, triadLen) / 1e9,
	}
}

// Commit returns the commit that this program was built from.
func Commit() string {
	commit, dirty := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+dirty"
			}
		}
	}
	return commit + dirty
}

// peakFLOPS returns the multiply-adds a second, each counted as two, of all
// threads at once: cores that share units don't add up.
func peakFLOPS(d *cpu.Device) float64 {
	rates := make([]float64, d.Threads())
	together(d.Threads(), func(i int) { rates[i] = d.PeakFLOPS(300 * time.Millisecond) })
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// triadLen is the length of the arrays, in floats, altogether: 256 MB for both,
// several times any cache.
const triadLen = 1 << 25

// triad returns the bytes a second of a[i] += s·b[i] over long arrays, the best
// of a few passes. Like STREAM's triad it reads two values and writes one; in
// place, so that no store must first read the line it fills.
func triad(l isa.Level, threads, n int) float64 {
	k := elem.For(l)
	a, b := par.Aligned(n), par.Aligned(n)
	best := 0.0
	for range 8 {
		begin := time.Now()
		together(threads, func(i int) {
			lo, hi := n*i/threads, n*(i+1)/threads
			k.Axpy(a[lo:hi], b[lo:hi], 0.5)
		})
		if t := time.Since(begin).Seconds(); t > 0 {
			best = max(best, float64(12*n)/t)
		}
	}
	return best
}

// together runs f(0) to f(n-1) at the same time.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
