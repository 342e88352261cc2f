//go:build !cuda

package main

import (
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
)

// openDevice makes the device that the flags name.
func (a *app) openDevice() (graph.Device, error) {
	if a.device != "cpu" {
		return nil, usagef("--device %s: this build computes on the CPU only", a.device)
	}
	d, err := a.openCPU()
	if err != nil {
		return nil, err
	}
	return d, nil
}

// openCPU makes a CPU device by the flags and the environment.
func (a *app) openCPU() (*cpu.Device, error) {
	o, err := a.cpuOptions()
	if err != nil {
		return nil, err
	}
	d, err := cpu.New(o)
	if err != nil {
		return nil, usagef("--isa or SYNTIC_ISA: %v", err)
	}
	return d, nil
}

// gpuNote is what doctor says about GPUs.
const gpuNote = "not used: this build computes on the CPU only"
