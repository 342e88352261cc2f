//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cudashim"
	"syntic/cuda/internal/cux"
)

// GPU is one that the driver shows.
type GPU struct {
	Name         string
	Major, Minor int // compute capability
	Bytes        int // memory
}

// Found is what Probe finds: the driver's CUDA version, such as 12.9, and the
// GPUs by ordinal.
type Found struct {
	Driver string
	GPUs   []GPU
}

// Probe opens the driver and looks at its GPUs without computing on any. Errors:
// why there is none.
func Probe() (f Found, err error) {
	if err := cudashim.Open(""); err != nil {
		return f, err
	}
	v := cu.Version()
	f.Driver = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	n, err := cu.NumDevices()
	if err != nil {
		return f, cux.Named(err)
	}
	for i := range n {
		var g GPU
		d, err := cu.GetDevice(i)
		if err == nil {
			g.Name, err = d.Name()
		}
		if err == nil {
			g.Major, g.Minor, err = d.ComputeCapability()
		}
		if err != nil {
			return f, cux.Named(err)
		}
		total, err := d.TotalMem()
		if err != nil {
			return f, cux.Named(err)
		}
		g.Bytes = int(total)
		f.GPUs = append(f.GPUs, g)
	}
	return f, nil
}
