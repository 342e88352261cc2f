package caption

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"syntic/tensor"
	"syntic/weights"
)

// ReadFeatures reads a matrix of features, widened to float32: the only
// two-dimensional tensor of a safetensors file, a NumPy .npy file (float32 or
// float16, C order), or plain little-endian float32 values (.f32) of dim each.
func ReadFeatures(path string, dim int) (features []float32, cols int, err error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".f32":
		return readPlain(path, dim)
	case ".npy":
		return readNPY(path)
	}
	return readTensor(path)
}

func readPlain(path string, dim int) ([]float32, int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	if dim < 1 || dim > len(data)/4 || len(data)%(4*dim) != 0 {
		return nil, 0, fmt.Errorf("%s: %d bytes aren't rows of %d float32 values; give their number with --dim", path, len(data), dim)
	}
	v, err := tensor.Tensor{DType: weights.F32, Shape: tensor.Shape{len(data) / 4}, Data: data}.Float32s()
	return v, dim, err
}

func readTensor(path string) (v []float32, cols int, err error) {
	src, err := weights.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer src.Close()
	var found *weights.Info
	for _, name := range src.Names() {
		info, err := src.Get(name)
		if err != nil {
			return nil, 0, err
		}
		if len(info.Shape) == 2 {
			if found != nil {
				return nil, 0, fmt.Errorf("%s: both %s and %s could be the features", path, found.Name, name)
			}
			found = &info
		}
	}
	if found == nil {
		return nil, 0, fmt.Errorf("%s: no tensor with two dimensions", path)
	}
	err = weights.Guard(func() error {
		f, err := tensor.FromInfo(*found).Float32s()
		v = append(v, f...) // a copy: the file is closed
		return err
	})
	return v, found.Shape[1], err
}

// npyHeader finds the fields of a .npy header, a Python dictionary.
// Source: numpy.lib.format, version 1.0.
var npyHeader = regexp.MustCompile(`'descr':\s*'(<f[24])'.*'fortran_order':\s*False.*'shape':\s*\((\d+),\s*(\d+),?\)`)

func readNPY(path string) ([]float32, int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	const magic = "\x93NUMPY"
	if len(data) < 12 || string(data[:6]) != magic {
		return nil, 0, fmt.Errorf("%s: not a NumPy file", path)
	}
	start, size := 10, int(binary.LittleEndian.Uint16(data[8:]))
	if data[6] > 1 {
		start, size = 12, int(binary.LittleEndian.Uint32(data[8:]))
	}
	if size < 0 || start+size > len(data) {
		return nil, 0, fmt.Errorf("%s: the header is cut short", path)
	}
	m := npyHeader.FindSubmatch(data[start : start+size])
	if m == nil {
		return nil, 0, fmt.Errorf("%s: only two-dimensional little-endian float32 or float16 arrays in C order can be read", path)
	}
	rows, err1 := strconv.Atoi(string(m[2]))
	cols, err2 := strconv.Atoi(string(m[3]))
	typ := weights.F32
	if string(m[1]) == "<f2" {
		typ = weights.F16
	}
	data = data[start+size:]
	if err1 != nil || err2 != nil || rows < 1 || cols < 1 || cols > len(data) || rows > len(data)/cols || rows*cols*typ.Size() != len(data) {
		return nil, 0, fmt.Errorf("%s: %d bytes of data for shape (%s, %s)", path, len(data), m[2], m[3])
	}
	v, err := tensor.Tensor{DType: typ, Shape: tensor.Shape{rows, cols}, Data: data}.Float32s()
	return v, cols, err
}
