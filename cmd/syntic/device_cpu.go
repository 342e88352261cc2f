//go:build !cuda || !linux

package main

import "syntic/tensor/graph"

func (a *app) openGPU(int) (graph.Device, error) {
	return nil, usagef("--device %s: this build computes on the CPU only; make cuda builds one for GPUs", a.device)
}

// gpuNote is what doctor says about GPUs.
func gpuNote() string { return "not used: this build computes on the CPU only" }
