//go:build cuda && linux

// Package cudashim defines the CUDA driver's entry points as trampolines, so
// that a binary with gorgonia.org/cu in it starts where there is no NVIDIA
// driver. libcuda.a is an empty archive: it satisfies cu's -lcuda. symbols.inc
// lists the entry points that cu and cux refer to.
package cudashim

/*
#cgo LDFLAGS: -L${SRCDIR} -ldl
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

var opened struct {
	sync.Mutex
	done bool
	path string
}

// Open loads the driver and initialises it, once per process: the one at path,
// or the system's when path is empty. It may be called where there is none.
//
// Concurrency: any goroutine. Errors: no driver, one that finds no GPU or can't
// be used, or another one loaded before.
func Open(path string) error {
	opened.Lock()
	defer opened.Unlock()
	if opened.done {
		if path != "" && path != opened.path {
			return fmt.Errorf("CUDA driver %s: another one is loaded already", path)
		}
		return nil
	}
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	var code C.int
	var msg [512]C.char
	switch C.cudashim_open(p, &code, &msg[0], C.int(len(msg))) {
	case 0:
		opened.done, opened.path = true, path
		return nil
	case 1:
		return fmt.Errorf("no CUDA driver: %s", C.GoString(&msg[0]))
	}
	return fmt.Errorf("the CUDA driver can't be used: %s", C.GoString(&msg[0]))
}

// Missing returns the entry points that the loaded driver doesn't export.
func Missing() []string {
	var names []string
	for i := range C.cudashim_missing_count() {
		names = append(names, C.GoString(C.cudashim_missing_name(i)))
	}
	return names
}
