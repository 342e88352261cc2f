//go:build cuda && linux

package cuda

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

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
		if err = cux.Named(err); strings.HasPrefix(path.Base(name), "tc_") && notForThis(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("loading %s: %w", name, err)
		}
		d.modules[strings.TrimSuffix(path.Base(name), ".fatbin")] = m
	}
	return nil
}

// notForThis reports whether an error of loading says that there is no code for this
// GPU, as a tensor-core kernel's has none for 7.5.
func notForThis(err error) bool {
	return errors.Is(err, cux.NoBinary) || errors.Is(err, cux.InvalidPTX) || errors.Is(err, cux.NewerPTX)
}

// kernel is one of the device's functions.
type kernel struct {
	f      cu.Function
	shared int // bytes of dynamic shared memory that its launches may take
}

// unasked is what a launch may take without being allowed to.
const unasked = 48 << 10

// kernel returns a function by name, for launches of so much shared memory, and
// remembers it. The caller has entered.
func (d *Device) kernel(name string, shared int) (cu.Function, error) {
	k, ok := d.kernels[name]
	if !ok {
		f, err := d.function(name)
		if err != nil {
			return f, err
		}
		k = &kernel{f, unasked}
		d.kernels[name] = k
	}
	if shared > k.shared {
		if err := cux.AllowShared(k.f, shared); err != nil {
			return k.f, fmt.Errorf("%d bytes of shared memory: %w", shared, err)
		}
		k.shared = shared
	}
	return k.f, nil
}

// sources returns the file that has each kernel, as build.sh listed them.
var sources = sync.OnceValue(func() map[string]string {
	list, err := images.ReadFile("code/kernels")
	if err != nil {
		panic(err) // it is embedded
	}
	of := map[string]string{}
	for line := range strings.Lines(string(list)) {
		kernel, source, _ := strings.Cut(strings.TrimSpace(line), " ")
		of[kernel] = source
	}
	return of
})

// function asks the one module that may have the kernel: tools that watch the driver
// report every question that fails.
func (d *Device) function(name string) (cu.Function, error) {
	m, ok := d.modules[sources()[name]]
	if !ok {
		return cu.Function{}, fmt.Errorf("kernel %s: %w", name, cux.NotFound)
	}
	f, err := m.Function(name)
	return f, cux.Named(err)
}
