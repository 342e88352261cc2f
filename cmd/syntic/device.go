package main

import (
	"strconv"
	"strings"

	"syntic/tensor/cpu"
	"syntic/tensor/graph"
)

// openDevice makes the device that the flags name.
func (a *app) openDevice() (graph.Device, error) {
	if a.device == "cpu" {
		d, err := a.openCPU()
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	n, ok := ordinal(a.device)
	if !ok {
		return nil, usagef("--device %s: must be cpu, cuda or cuda:N", a.device)
	}
	return a.openGPU(n)
}

// ordinal reads cuda or cuda:N.
func ordinal(device string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(device, "cuda")
	if !ok || rest == "" {
		return 0, ok
	}
	digits, ok := strings.CutPrefix(rest, ":")
	v, err := strconv.ParseUint(digits, 10, 16)
	return int(v), ok && err == nil
}

// openCPU makes a CPU device by the flags and the environment.
func (a *app) openCPU() (*cpu.Device, error) {
	o, err := a.cpuOptions()
	if err != nil {
		return nil, err
	}
	d, err := cpu.New(o)
	if err != nil {
		return nil, usagef("--isa, SYNTIC_ISA or --precision: %v", err)
	}
	return d, nil
}
