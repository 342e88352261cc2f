//go:build cuda && linux

package cuda

import (
	"embed"
	"fmt"
	"io/fs"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
)

// images are the kernels, compiled by build.sh: one compressed fat binary per
// source, with code for each kind of GPU and PTX of 7.5 for the others.
//
//go:embed code
var images embed.FS

// loadKernels gives the driver the kernels.
func (d *Device) loadKernels() error {
	names, err := fs.Glob(images, "code/*.fatbin")
	if err != nil {
		return err
	}
	for _, name := range names {
		image, err := images.ReadFile(name)
		if err != nil {
			return err
		}
		m, err := cu.LoadData(string(image))
		if err != nil {
			return fmt.Errorf("loading %s: %w", name, cux.Named(err))
		}
		d.modules = append(d.modules, m)
	}
	return nil
}

// function returns a kernel by name and remembers it. The caller has entered.
func (d *Device) function(kernel string) (f cu.Function, err error) {
	for _, m := range d.modules {
		if f, err = m.Function(kernel); err == nil {
			d.kernels[kernel] = f
			return f, nil
		}
	}
	return f, cux.Named(err)
}
