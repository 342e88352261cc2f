package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"syntic/tensor"
	"syntic/weights"
)

// manifest is the part of manifest.json that every kind needs.
type manifest struct {
	Version    int     `json:"version"`
	GlobalSeed string  `json:"global_seed"`
	Entries    []entry `json:"entries"`
}

// entry is one case.
type entry struct {
	ID      string         `json:"id"`
	File    string         `json:"file"`
	Model   string         `json:"model"`
	Config  string         `json:"config"`
	Weights string         `json:"weights"` // a path, or "synthetic"
	Seed    string         `json:"seed"`    // of synthetic weights; the manifest's where empty
	Inputs  map[string]ref `json:"inputs"`
	Outputs map[string]ref `json:"outputs"`

	raw   json.RawMessage // for the fields that only one kind has
	index int
}

// ref describes a stored tensor and, for an output, how to compare it.
type ref struct {
	Tensor    string       `json:"tensor"`
	Shape     tensor.Shape `json:"shape"`
	FullShape tensor.Shape `json:"full_shape"` // what Shape is a sample of, if it is one
	Stride    int          `json:"flat_stride"`
	Skip      [][2]int     `json:"skip"` // flat ranges of FullShape that aren't compared
	Tol       float64      `json:"tol"`
}

// UnmarshalJSON keeps the text for decode.
func (e *entry) UnmarshalJSON(data []byte) error {
	type plain entry
	if err := json.Unmarshal(data, (*plain)(e)); err != nil {
		return err
	}
	e.raw = append(json.RawMessage(nil), data...)
	return nil
}

// decode reads the fields that a kind adds.
func (e *entry) decode(fields any) error {
	if err := json.Unmarshal(e.raw, fields); err != nil {
		return fmt.Errorf("manifest: %s: %w", e.ID, err)
	}
	return nil
}

func (m *manifest) read(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("golden manifest: %w", err)
	}
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("golden manifest: %s: %w", path, err)
	}
	if m.Version != 1 {
		return fmt.Errorf("golden manifest: %s: version %d, this program reads version 1", path, m.Version)
	}
	for i := range m.Entries {
		m.Entries[i].index = i
	}
	return nil
}

// seed returns the seed of an entry's synthetic weights.
func (m *manifest) seed(e *entry) (uint64, error) {
	text := e.Seed
	if text == "" {
		text = m.GlobalSeed
	}
	seed, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("manifest: %s: seed: %w", e.ID, err)
	}
	return seed, nil
}

// get reads a stored tensor of a file.
func (s *suite) get(file string, r ref) (tensor.Tensor, error) {
	f, err := s.file(file)
	if err != nil {
		return tensor.Tensor{}, err
	}
	info, err := f.Get(r.Tensor)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.FromInfo(info)
	if !t.Shape.Equal(r.Shape) {
		return tensor.Tensor{}, fmt.Errorf("%s: %s has shape %v, the manifest says %v", file, r.Tensor, t.Shape, r.Shape)
	}
	return t, nil
}

// input returns an input by name: the case's own, else that of the nearest case
// before it in the same file, as the manifest's notes say where none is stored.
func (c *testCase) input(name string) (tensor.Tensor, error) {
	for i := c.index; i >= 0; i-- {
		e := &c.s.manifest.Entries[i]
		if r, ok := e.Inputs[name]; ok && e.File == c.File {
			return c.s.get(e.File, r)
		}
	}
	return tensor.Tensor{}, fmt.Errorf("manifest: %s has no input %q", c.ID, name)
}

// floats returns a float32 input of so many dimensions.
func (c *testCase) floats(name string, rank int) ([]float32, tensor.Shape, error) {
	t, err := c.input(name)
	if err != nil {
		return nil, nil, err
	}
	if len(t.Shape) != rank {
		return nil, nil, fmt.Errorf("input %s has shape %v, want %d dimensions", name, t.Shape, rank)
	}
	v, err := t.Float32s()
	return v, t.Shape, err
}

// ids returns an integer input of two dimensions, row by row.
func (c *testCase) ids(name string) ([][]int32, error) {
	t, err := c.input(name)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) != 2 {
		return nil, fmt.Errorf("input %s has shape %v, want 2 dimensions", name, t.Shape)
	}
	v, err := t.Int64s()
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", name, err)
	}
	rows := make([][]int32, t.Shape[0])
	for i := range rows {
		rows[i] = make([]int32, t.Shape[1])
		for j := range rows[i] {
			rows[i][j] = int32(v[i*t.Shape[1]+j])
		}
	}
	return rows, nil
}

// bytes returns an input of bytes.
func (c *testCase) bytes(name string) ([]byte, tensor.Shape, error) {
	t, err := c.input(name)
	if err == nil && t.DType != weights.U8 {
		err = fmt.Errorf("input %s has type %v, want U8", name, t.DType)
	}
	return t.Data, t.Shape, err
}
