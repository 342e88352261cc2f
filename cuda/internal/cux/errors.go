//go:build cuda && linux

package cux

// #include "cux.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"
)

// Error is a driver's error code.
type Error int

// The errors that the device tells apart.
const (
	OutOfMemory  Error = C.CUDA_ERROR_OUT_OF_MEMORY
	NotSupported Error = C.CUDA_ERROR_NOT_SUPPORTED
	Stub         Error = C.CUDA_ERROR_STUB_LIBRARY
	NoBinary     Error = C.CUDA_ERROR_NO_BINARY_FOR_GPU
	InvalidPTX   Error = C.CUDA_ERROR_INVALID_PTX
	NewerPTX     Error = C.CUDA_ERROR_UNSUPPORTED_PTX_VERSION
	NotFound     Error = C.CUDA_ERROR_NOT_FOUND
)

// Error gives the driver's name of the error, its number and its description.
func (e Error) Error() string {
	var name, text *C.char
	C.cuGetErrorName(C.CUresult(e), &name)
	C.cuGetErrorString(C.CUresult(e), &text)
	if name == nil || text == nil {
		return fmt.Sprintf("CUDA error %d", int(e))
	}
	return fmt.Sprintf("%s (%d): %s", C.GoString(name), int(e), C.GoString(text))
}

// Sticky reports whether the error leaves its context unusable.
// Source: the CUDA driver API's CUresult, "the process must be terminated and relaunched".
func (e Error) Sticky() bool {
	switch e {
	case C.CUDA_ERROR_ILLEGAL_ADDRESS, C.CUDA_ERROR_LAUNCH_FAILED, C.CUDA_ERROR_LAUNCH_TIMEOUT, C.CUDA_ERROR_ASSERT,
		C.CUDA_ERROR_HARDWARE_STACK_ERROR, C.CUDA_ERROR_ILLEGAL_INSTRUCTION, C.CUDA_ERROR_MISALIGNED_ADDRESS,
		C.CUDA_ERROR_INVALID_ADDRESS_SPACE, C.CUDA_ERROR_INVALID_PC, C.CUDA_ERROR_ECC_UNCORRECTABLE,
		C.CUDA_ERROR_CONTEXT_IS_DESTROYED, C.CUDA_ERROR_UNKNOWN:
		return true
	}
	return false
}

// Named returns an error of gorgonia.org/cu as an Error, so that messages carry
// the driver's names; other errors as they are.
func Named(err error) error {
	var e Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return Error(v.Int())
	}
	return err
}

func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Error(r)
}
