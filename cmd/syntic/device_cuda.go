//go:build cuda && linux

package main

import (
	"fmt"
	"strings"

	"syntic/cuda"
	"syntic/tensor/graph"
)

func (a *app) openGPU(n int) (graph.Device, error) {
	if a.storage != "auto" || a.winograd != "" {
		return nil, usagef("--device %s computes direct sums and keeps weights in its precision; leave --weights and --winograd out", a.device)
	}
	precisions := map[string]cuda.Precision{"f32": cuda.F32, "f16": cuda.F16, "bf16": cuda.BF16}
	precision, ok := precisions[a.precision]
	if !ok {
		return nil, usagef("--precision %s: must be f32, f16 or bf16", a.precision)
	}
	d, err := cuda.New(cuda.Options{Ordinal: n, Precision: precision})
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w", a.device, err)
	}
	return d, nil
}

// gpuNote is what doctor says about GPUs.
func gpuNote() string {
	f, err := cuda.Probe()
	if err != nil {
		return "none: " + err.Error()
	}
	var all []string
	for i, g := range f.GPUs {
		all = append(all, fmt.Sprintf("cuda:%d %s, %s, compute capability %d.%d", i, g.Name, size(g.Bytes), g.Major, g.Minor))
	}
	return fmt.Sprintf("%s (driver for CUDA %s)", strings.Join(all, "; "), f.Driver)
}
