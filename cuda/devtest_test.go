//go:build cuda && linux

package cuda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"syntic/tensor/devtest"
	"syntic/tensor/graph"
)

// driver is the emulation of this process, "" where there's no compiler for it.
// CUDA_EMU_FLAGS has flags for the compiler. CUDA_TEST_DRIVER names another driver,
// such as a GPU's own libcuda.so.1; what asks the emulation for faults fails there.
var driver = os.Getenv("CUDA_TEST_DRIVER")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if driver != "" {
			return m.Run()
		}
		if _, err := exec.LookPath("g++"); err != nil {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "emulation")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		cmd := exec.Command("emu/build.sh", append([]string{dir}, strings.Fields(os.Getenv("CUDA_EMU_FLAGS"))...)...)
		cmd.Env = append(os.Environ(), "LD_PRELOAD=") // a sanitizer's library is for this process
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			panic(err)
		}
		driver = filepath.Join(dir, "libcuda.so.1")
		return m.Run()
	}())
}

// need skips where the emulation can't be built.
func need(t testing.TB) {
	t.Helper()
	if driver == "" {
		t.Skip("SKIPPED: no g++, so the CUDA kernels are not tested")
	}
}

func open(o Options) func(int) (graph.Device, error) {
	return func(int) (graph.Device, error) {
		o.Driver = driver
		return New(o)
	}
}

// TestCompliance runs the suite on captured graphs.
func TestCompliance(t *testing.T) {
	need(t)
	devtest.Suite{Open: open(Options{}), Whole: true}.Run(t)
}

// halfErrors is what an operation, or a short chain of them, may err in halves: three
// times what the cases show.
var halfErrors = map[Precision]float64{F16: 3e-3, BF16: 2.4e-2}

// TestHalves runs the suite in f16, and the cases in bf16, with the kernels of Hopper
// and with those of the GPUs before.
func TestHalves(t *testing.T) {
	need(t)
	for _, capability := range []string{"90", "80"} {
		for _, p := range []Precision{F16, BF16} {
			t.Run(fmt.Sprint(p, " on ", capability), func(t *testing.T) {
				t.Setenv("CUDA_EMU_CAPABILITY", capability)
				devtest.Suite{Open: open(Options{Precision: p}), Whole: true, Error: halfErrors[p]}.Cases(t)
			})
		}
	}
	devtest.Suite{Open: open(Options{Precision: F16}), Whole: true, Error: halfErrors[F16], Only: regexp.MustCompile("^(Fusion|Cache|Attention)")}.Run(t)
}

// TestLists runs its cases on plain launches, as where a driver can't capture.
func TestLists(t *testing.T) {
	need(t)
	devtest.Suite{Open: open(Options{NoGraph: true}), Whole: true, Only: regexp.MustCompile("^(Fusion|Cache|Integers)")}.Run(t)
}

// TestReversed runs cases of every kernel with the threads of a block in the
// other order: a missing barrier that one order hides shows in the other.
func TestReversed(t *testing.T) {
	need(t)
	t.Setenv("CUDA_EMU_REVERSE", "1")
	devtest.Suite{Open: open(Options{}), Whole: true, Only: regexp.MustCompile("^(Large|Rows|TopK|Attention|GroupNorm|Conv2D/norm|Cache)")}.Run(t)
}

func BenchmarkDevice(b *testing.B) {
	need(b)
	devtest.Suite{Open: open(Options{}), Whole: true}.Benchmark(b)
}
