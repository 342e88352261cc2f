package emu

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// programs are the tests that tc_build.sh builds. Each compares its kernels with
// slow references in float64, on odd shapes, tails and masks, for f16 and bf16,
// within tolerances that it states.
var programs = []string{"emu", "gemm", "conv", "attn", "norm", "gemm90", "conv3x3", "convt90", "attn90"}

// build compiles the programs into a new folder and returns it.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the kernels' emulator needs Linux")
	}
	cxx := os.Getenv("CXX")
	if cxx == "" {
		cxx = "g++"
	}
	if _, err := exec.LookPath(cxx); err != nil {
		t.Skipf("no C++ compiler (%s): the tensor-core kernels stay untested", cxx)
	}
	dir := t.TempDir()
	cmd := exec.Command("sh", append([]string{"tc_build.sh", dir}, flags...)...)
	cmd.Env = append(os.Environ(), "TC_TESTS="+strings.Join(programs, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func run(t *testing.T, dir, program, order string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, program))
	cmd.Env = append(os.Environ(), "TC_EMU_ORDER="+order)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestTensorCores runs the kernels with threads taking turns in order and in a
// shuffled one, blocks forward and backward.
func TestTensorCores(t *testing.T) {
	dir := build(t)
	for _, p := range programs {
		for _, order := range []string{"0", "1"} {
			t.Run(p+"/"+order, func(t *testing.T) { run(t, dir, p, order) })
		}
	}
}

// TestTensorCoresASan runs them once with every access to a tensor checked.
func TestTensorCoresASan(t *testing.T) {
	if testing.Short() {
		t.Skip("building with AddressSanitizer takes half a minute")
	}
	dir := build(t, "-g1", "-fsanitize=address", "-fno-omit-frame-pointer")
	for _, p := range programs {
		t.Run(p, func(t *testing.T) { run(t, dir, p, "0") })
	}
}
