package main

import (
	"os"
	"strconv"

	"syntic/kernels/gemm"
	"syntic/tensor/cpu"
)

// maxThreads keeps a mistyped number from starting thousands of workers.
const maxThreads = 1024

// cpuOptions reads the CPU's flags and environment.
func (a *app) cpuOptions() (cpu.Options, error) {
	o := cpu.Options{ISA: a.isa, Threads: a.threads}
	if env := os.Getenv("SYNTIC_THREADS"); o.Threads == 0 && env != "" {
		n, err := strconv.Atoi(env)
		if err != nil || n < 1 {
			return o, usagef("SYNTIC_THREADS=%s: must be a number from 1", env)
		}
		o.Threads = n
	}
	if o.Threads < 0 || o.Threads > maxThreads {
		return o, usagef("--threads %d: must lie between 0 and %d", o.Threads, maxThreads)
	}
	types := map[string]gemm.DType{"auto": gemm.F32, "f32": gemm.F32, "f16": gemm.F16, "bf16": gemm.BF16}
	var ok bool
	if o.Storage, ok = types[a.storage]; !ok {
		return o, usagef("--weights %s: must be auto, f32, f16 or bf16", a.storage)
	}
	o.Keep = a.storage == "auto"
	precisions := map[string]cpu.Precision{"f32": cpu.F32, "bf16": cpu.BF16, "int8": cpu.Int8}
	if o.Precision, ok = precisions[a.precision]; !ok {
		return o, usagef("--precision %s: must be f32, bf16 or int8", a.precision)
	}
	ways := map[string]cpu.Winograd{"": cpu.WinogradByModel, "off": cpu.WinogradOff, "f2": cpu.WinogradF2, "f4": cpu.WinogradF4}
	if o.Winograd, ok = ways[a.winograd]; !ok {
		return o, usagef("--winograd %s: must be off, f2 or f4", a.winograd)
	}
	return o, nil
}
