//go:build unix

package bench

import (
	"runtime"
	"syscall"
	"time"
)

// processCPU returns the processor time of the whole process, user and system.
func processCPU() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMiB returns the largest resident memory that the process has had.
func peakMiB() int64 {
	u := usage()
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" { // in bytes there
		return int64(u.Maxrss) >> 20
	}
	return int64(u.Maxrss) >> 10
}

// usage returns the kernel's accounts, zero where it refuses.
func usage() (u syscall.Rusage) {
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return syscall.Rusage{}
	}
	return u
}
