package caption

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Memory is the support set of equation 3: texts and their CLIP features. The
// features stay in the mapped file, float32, float16 or bfloat16.
//
// Concurrency: immutable.
type Memory struct {
	src   weights.Source
	rows  *graph.Param
	texts texts
	name  string
}

// The tensors of a memory file.
const (
	featuresName = "text_features" // [M,D], unit vectors
	textsName    = "texts"         // all texts, one after the other, UTF-8
	offsetsName  = "offsets"       // [M+1] where each begins in texts
)

// OpenMemory opens a memory file. Texts lie in the file itself, or one per line
// in a .txt file of the same name beside it.
func OpenMemory(path string) (*Memory, error) {
	dir, file := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return openMemory(weights.DiskDir(dir), file)
}

func openMemory(d weights.Dir, file string) (*Memory, error) {
	src, err := d.Source(file)
	if err != nil {
		return nil, err
	}
	var m *Memory
	err = weights.Guard(func() error { m, err = readMemory(d, src, file); return err })
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return m, nil
}

func readMemory(d weights.Dir, src weights.Source, file string) (*Memory, error) {
	m := &Memory{src: src, name: d.String() + "/" + file}
	info, err := src.Get(featuresName)
	if err != nil {
		return nil, fmt.Errorf("%s isn't a support memory: %w", m.name, err)
	}
	if len(info.Shape) != 2 || info.Shape[0] < 1 || info.Shape[1] < 1 {
		return nil, fmt.Errorf("%s: %s has shape %v; a memory needs at least one row", m.name, featuresName, tensor.Shape(info.Shape))
	}
	m.rows = graph.NewParam(info.Shape...)
	m.rows.Name = featuresName
	if err := m.rows.Load(info); err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	if err := m.checkUnit(info); err != nil {
		return nil, err
	}
	if m.texts, err = readTexts(d, src, file); err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	if m.texts.len() != 0 && m.texts.len() != m.Len() {
		return nil, fmt.Errorf("%s: %d texts for %d features", m.name, m.texts.len(), m.Len())
	}
	return m, nil
}

// checkUnit looks at a few rows: features that aren't unit vectors would make
// dot products something else than cosines.
func (m *Memory) checkUnit(info weights.Info) error {
	d := info.Shape[1]
	for _, row := range []int{0, info.Shape[0] / 2, info.Shape[0] - 1} {
		size := d * info.DType.Size()
		v, err := tensor.Tensor{DType: info.DType, Shape: tensor.Shape{d}, Data: info.Data[row*size : (row+1)*size]}.Float32s()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if math.Abs(math.Sqrt(sum)-1) > 0.01 || math.IsNaN(sum) {
			return fmt.Errorf("%s: row %d has length %.4g, not 1; make the file with `syntic memory build`, which normalises", m.name, row, math.Sqrt(sum))
		}
	}
	return nil
}

// Len returns the number of texts.
func (m *Memory) Len() int { return m.rows.Shape[0] }

// Dim returns the length of a feature.
func (m *Memory) Dim() int { return m.rows.Shape[1] }

// DType returns how the features are stored.
func (m *Memory) DType() tensor.DType {
	t, _ := m.rows.Tensor()
	return t.DType
}

// Name returns where the memory was read from.
func (m *Memory) Name() string { return m.name }

// Text returns text i; a memory without texts gives its number.
func (m *Memory) Text(i int) string {
	if m.texts.len() == 0 {
		return fmt.Sprintf("#%d", i)
	}
	return m.texts.at(i)
}

// Feature writes the feature of text i to dst, widened.
func (m *Memory) Feature(dst []float32, i int) error {
	t, _ := m.rows.Tensor()
	size := m.Dim() * t.DType.Size()
	v, err := tensor.Tensor{DType: t.DType, Shape: tensor.Shape{m.Dim()}, Data: t.Data[i*size : (i+1)*size]}.Float32s()
	copy(dst, v)
	return err
}

// Metadata returns what the file says about its making.
func (m *Memory) Metadata() map[string]string { return weights.Metadata(m.src) }

// Close closes the file.
func (m *Memory) Close() error { return m.src.Close() }

// texts are strings in one block of bytes.
type texts struct {
	data    []byte
	offsets []int64
}

func (t texts) len() int {
	return max(len(t.offsets)-1, 0)
}

func (t texts) at(i int) string { return string(t.data[t.offsets[i]:t.offsets[i+1]]) }

func readTexts(d weights.Dir, src weights.Source, file string) (texts, error) {
	blob, err := src.Get(textsName)
	if err == nil {
		return storedTexts(src, blob)
	}
	sidecar := strings.TrimSuffix(file, filepath.Ext(file)) + ".txt"
	if !d.Has(sidecar) {
		return texts{}, nil
	}
	data, err := d.Read(sidecar)
	if err != nil {
		return texts{}, err
	}
	return lines(data), nil
}

func storedTexts(src weights.Source, blob weights.Info) (texts, error) {
	info, err := src.Get(offsetsName)
	if err != nil {
		return texts{}, err
	}
	offsets, err := tensor.FromInfo(info).Int64s()
	if err != nil {
		return texts{}, err
	}
	last := int64(0)
	for i, o := range offsets {
		if o < last || o > int64(len(blob.Data)) {
			return texts{}, fmt.Errorf("offset %d of the texts is out of order", i)
		}
		last = o
	}
	return texts{blob.Data, offsets}, nil
}

// lines splits a text file: one text per line, LF or CRLF, a byte order mark
// and the last line's end ignored.
func lines(data []byte) texts {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	t := texts{data: make([]byte, 0, len(data)), offsets: []int64{0}}
	for line := range bytes.Lines(data) {
		t.data = append(t.data, bytes.TrimRight(line, "\r\n")...)
		t.offsets = append(t.offsets, int64(len(t.data)))
	}
	return t
}
