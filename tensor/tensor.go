package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"syntic/weights"
)

// DType is an element type, as checkpoints store it.
type DType = weights.DType

// Tensor is a host array in row-major order, little endian. Data is a view: it
// may lie in a mapped file and must not be written.
type Tensor struct {
	DType DType
	Shape Shape
	Data  []byte
}

// FromInfo returns the checkpoint tensor as a view.
func FromInfo(i weights.Info) Tensor {
	return Tensor{DType: i.DType, Shape: i.Shape, Data: i.Data}
}

// FromF32 returns a tensor that shares v. It panics when v doesn't fill shape.
func FromF32(v []float32, shape ...int) Tensor {
	if len(v) != Shape(shape).Elems() {
		panic(fmt.Sprintf("tensor: %d values for shape %v", len(v), Shape(shape)))
	}
	return Tensor{DType: weights.F32, Shape: shape, Data: bytesOf(v)}
}

// Float32s returns the elements widened to float32: a view where the data is
// float32 and aligned, a new slice otherwise. Float64 is rounded to nearest,
// integers are converted; other types give an error.
func (t Tensor) Float32s() ([]float32, error) {
	n := t.Shape.Elems()
	if len(t.Data) != n*t.DType.Size() {
		return nil, fmt.Errorf("tensor of shape %v and type %v holds %d bytes, not %d", t.Shape, t.DType, len(t.Data), n*t.DType.Size())
	}
	if n == 0 {
		return nil, nil
	}
	if t.DType == weights.F32 && uintptr(unsafe.Pointer(&t.Data[0]))%4 == 0 {
		return unsafe.Slice((*float32)(unsafe.Pointer(&t.Data[0])), n), nil
	}
	out := make([]float32, n)
	le := binary.LittleEndian
	switch t.DType {
	case weights.F32:
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(t.Data[4*i:]))
		}
	case weights.F16:
		for i := range out {
			out[i] = F16ToF32(le.Uint16(t.Data[2*i:]))
		}
	case weights.BF16:
		for i := range out {
			out[i] = BF16ToF32(le.Uint16(t.Data[2*i:]))
		}
	case weights.F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(le.Uint64(t.Data[8*i:])))
		}
	case weights.U8:
		for i := range out {
			out[i] = float32(t.Data[i])
		}
	default:
		ints, err := t.Int64s()
		if err != nil {
			return nil, fmt.Errorf("tensor of type %v can't be read as float32", t.DType)
		}
		for i := range out {
			out[i] = float32(ints[i])
		}
	}
	return out, nil
}

// Int64s returns the elements of an integer or boolean tensor.
func (t Tensor) Int64s() ([]int64, error) {
	n := t.Shape.Elems()
	if len(t.Data) != n*t.DType.Size() {
		return nil, fmt.Errorf("tensor of shape %v and type %v holds %d bytes, not %d", t.Shape, t.DType, len(t.Data), n*t.DType.Size())
	}
	out := make([]int64, n)
	le := binary.LittleEndian
	for i := range out {
		switch t.DType {
		case weights.I64:
			out[i] = int64(le.Uint64(t.Data[8*i:]))
		case weights.I32:
			out[i] = int64(int32(le.Uint32(t.Data[4*i:])))
		case weights.I16:
			out[i] = int64(int16(le.Uint16(t.Data[2*i:])))
		case weights.I8:
			out[i] = int64(int8(t.Data[i]))
		case weights.U8, weights.Bool:
			out[i] = int64(t.Data[i])
		default:
			return nil, fmt.Errorf("tensor of type %v can't be read as integers", t.DType)
		}
	}
	return out, nil
}

// bytesOf returns the memory of v as bytes.
func bytesOf(v []float32) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))
}
