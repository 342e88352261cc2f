package caption

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"syntic/tensor"
	"syntic/weights"
)

// Vocabulary is what objects may be called, with the CLIP text feature of each
// name: E_t(o) of equation 4.
type Vocabulary struct {
	Names    []string
	features []float32 // [len(Names),D], unit vectors
	dim      int
}

// Feature returns the feature of label i; it must not be changed.
func (v *Vocabulary) Feature(i int) []float32 { return v.features[i*v.dim : (i+1)*v.dim] }

// readVocabulary reads tags.json, a list of names, and tags.safetensors with
// tag_features [n,D].
func readVocabulary(d weights.Dir, dim int) (*Vocabulary, error) {
	data, err := d.Read("tags.json")
	if err != nil {
		return nil, err
	}
	v := &Vocabulary{dim: dim}
	if err := json.Unmarshal(data, &v.Names); err != nil {
		return nil, fmt.Errorf("%s/tags.json: %w", d, err)
	}
	src, err := d.Source("tags.safetensors")
	if err != nil {
		return nil, err
	}
	defer src.Close()
	info, err := src.Get("tag_features")
	if err != nil {
		return nil, fmt.Errorf("%s/tags.safetensors: %w", d, err)
	}
	if len(info.Shape) != 2 || info.Shape[0] != len(v.Names) || info.Shape[1] != dim {
		return nil, fmt.Errorf("%s/tags.safetensors: tag_features has shape %v, want [%d,%d]", d, tensor.Shape(info.Shape), len(v.Names), dim)
	}
	err = weights.Guard(func() error {
		f, err := tensor.FromInfo(info).Float32s()
		v.features = append(v.features, f...) // a copy: the file is closed
		return err
	})
	return v, err
}

// encodeVocabulary computes the features of the names with CLIP's text tower.
func encodeVocabulary(ctx context.Context, e *Encoder, names []string, template string) (*Vocabulary, error) {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = strings.ReplaceAll(template, "%s", n)
	}
	f, _, err := e.Texts(ctx, texts)
	if err != nil {
		return nil, err
	}
	return &Vocabulary{Names: names, features: f, dim: e.Dim()}, nil
}

// Normalize scales every row of d values to unit length; a zero row stays zero.
func Normalize(rows []float32, d int) {
	for ; len(rows) >= d; rows = rows[d:] {
		sum := 0.0
		for _, x := range rows[:d] {
			sum += float64(x) * float64(x)
		}
		if sum == 0 {
			continue
		}
		s := 1 / math.Sqrt(sum)
		for i := range d {
			rows[i] = float32(float64(rows[i]) * s)
		}
	}
}
