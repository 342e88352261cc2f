package isa

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Level names a group of instructions that kernels are written for. A higher
// level of the same architecture includes the lower ones.
type Level uint8

const (
	// Portable is plain Go: every platform, the fallback of every kernel.
	Portable Level = iota
	// AVX2 is AVX2 with FMA3, F16C and BMI2 (x86-64-v3).
	AVX2
	// AVX512 is AVX-512 F, VL, BW and DQ together (x86-64-v4).
	AVX512
)

var names = [...]string{Portable: "portable", AVX2: "avx2", AVX512: "avx512"}

// String returns the name that Parse accepts.
func (l Level) String() string {
	if int(l) < len(names) {
		return names[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// Parse returns the level with this name, in any letter case.
func Parse(name string) (Level, error) {
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("instruction set %q: unknown; the known ones are %s", name, strings.Join(names[:], ", "))
}

// Supported reports whether this CPU and operating system can run the level.
func Supported(l Level) bool {
	switch l {
	case Portable:
		return true
	case AVX2:
		return runtime.GOARCH == "amd64" && cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.BMI2, cpuid.OSXSAVE)
	case AVX512:
		return Supported(AVX2) && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512BW, cpuid.AVX512DQ)
	}
	return false
}

// All returns the levels that this machine can run, slowest first.
func All() []Level {
	var ls []Level
	for i := range names {
		if Supported(Level(i)) {
			ls = append(ls, Level(i))
		}
	}
	return ls
}

// Select returns the level with this name, the fastest one for "". The error
// says what this machine can run when it can't run the level asked for.
func Select(name string) (Level, error) {
	all := All()
	if name == "" {
		return all[len(all)-1], nil
	}
	l, err := Parse(name)
	if err != nil {
		return 0, err
	}
	if !Supported(l) {
		return 0, fmt.Errorf("instruction set %s: this CPU (%s) can't run it; it can run %v", l, Name(), all)
	}
	return l, nil
}

// Best returns the level named by SYNTIC_ISA, or the fastest one when the
// variable is unset.
func Best() (Level, error) { return Select(os.Getenv("SYNTIC_ISA")) }

// Name returns the CPU's brand string, or its architecture where none is known.
func Name() string {
	if cpuid.CPU.BrandName != "" {
		return cpuid.CPU.BrandName
	}
	return runtime.GOARCH
}

// Features returns the CPU's feature names as CPUID spells them.
func Features() []string { return cpuid.CPU.FeatureSet() }

// Cache holds data cache sizes in bytes; 0 means unknown.
type Cache struct{ L1D, L2, L3 int }

// Caches returns the data cache sizes of one core (L3: of its cluster).
func Caches() Cache {
	pos := func(n int) int { return max(n, 0) }
	c := cpuid.CPU.Cache
	return Cache{L1D: pos(c.L1D), L2: pos(c.L2), L3: pos(c.L3)}
}

// Cores returns how many cores this process may use: the affinity mask and the
// container's CPU quota both count.
// Source: Go 1.25 release notes, "Container-aware GOMAXPROCS".
func Cores() int { return runtime.GOMAXPROCS(0) }
