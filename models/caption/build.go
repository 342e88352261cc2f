package caption

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"syntic/tensor"
	"syntic/weights"
)

// Corpus is a list of texts in one block of memory.
type Corpus struct{ texts texts }

// ReadCorpus reads a text file, one text per line; LF or CRLF, a byte order
// mark is ignored, blank lines are skipped, other white space around a text is
// cut. Errors: a file without any text.
func ReadCorpus(path string) (*Corpus, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := lines(data)
	c := &Corpus{texts{data: make([]byte, 0, len(data)), offsets: []int64{0}}}
	for i := range all.len() {
		c.Add(all.at(i))
	}
	if c.Len() == 0 {
		return nil, fmt.Errorf("%s: no text in this file; it needs one per line", path)
	}
	return c, nil
}

// NewCorpus returns a corpus of these texts.
func NewCorpus(list []string) *Corpus {
	c := &Corpus{texts{offsets: []int64{0}}}
	for _, s := range list {
		c.Add(s)
	}
	return c
}

// Add appends a text; a blank one is left out, invalid UTF-8 is replaced.
func (c *Corpus) Add(s string) {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\ufffd"))
	if s == "" {
		return
	}
	c.texts.data = append(c.texts.data, s...)
	c.texts.offsets = append(c.texts.offsets, int64(len(c.texts.data)))
}

// Len returns the number of texts.
func (c *Corpus) Len() int { return c.texts.len() }

// At returns text i.
func (c *Corpus) At(i int) string { return c.texts.at(i) }

// buildBatch is how many texts are encoded at once.
const buildBatch = 64

// BuildMemory encodes a corpus with CLIP and writes it as a memory file, whole
// or not at all. Features are stored as dtype: F32, F16 or BF16. done is called
// with the number of texts encoded since its last call. The features go straight
// to the file, so memory use doesn't grow with the corpus's features. It returns
// how many texts were cut to the tower's length.
func BuildMemory(ctx context.Context, path string, e *Encoder, c *Corpus, dtype tensor.DType, done func(n int)) (cut int, err error) {
	err = writeMemory(path, c, e.Dim(), dtype, func(w io.Writer) error {
		for lo := 0; lo < c.Len(); lo += buildBatch {
			batch := make([]string, 0, buildBatch)
			for i := lo; i < min(lo+buildBatch, c.Len()); i++ {
				batch = append(batch, c.At(i))
			}
			f, n, err := e.Texts(ctx, batch)
			if err != nil {
				return err
			}
			cut += n
			if err := unit(f, e.Dim(), lo); err != nil {
				return err
			}
			if err := writeRows(w, f, dtype); err != nil {
				return err
			}
			done(len(batch))
		}
		return nil
	})
	return cut, err
}

// ImportMemory writes features that were computed elsewhere as a memory file,
// scaled to unit length. Shapes: features [c.Len(),dim]; they are normalised in
// place.
func ImportMemory(path string, features []float32, dim int, c *Corpus, dtype tensor.DType) error {
	if len(features) != c.Len()*dim {
		return fmt.Errorf("%d feature values aren't %d texts of %d", len(features), c.Len(), dim)
	}
	Normalize(features, dim)
	if err := unit(features, dim, 0); err != nil {
		return err
	}
	return writeMemory(path, c, dim, dtype, func(w io.Writer) error { return writeRows(w, features, dtype) })
}

// unit checks that normalised rows, of which the first is number first, could be
// normalised: none is zero or holds NaN or infinity.
func unit(rows []float32, dim, first int) error {
	for i := 0; (i+1)*dim <= len(rows); i++ {
		sum := 0.0
		for _, x := range rows[i*dim : (i+1)*dim] {
			sum += float64(x) * float64(x)
		}
		if !(math.Abs(sum-1) < 1e-3) {
			return fmt.Errorf("the feature of text %d is zero or holds NaN or infinite values", first+i+1)
		}
	}
	return nil
}

func writeMemory(path string, c *Corpus, dim int, dtype tensor.DType, features func(w io.Writer) error) error {
	offsets := make([]byte, 8*len(c.texts.offsets))
	for i, o := range c.texts.offsets {
		binary.LittleEndian.PutUint64(offsets[8*i:], uint64(o))
	}
	list := []weights.Info{
		{Name: featuresName, DType: dtype, Shape: []int{c.Len(), dim}},
		{Name: textsName, DType: weights.U8, Shape: []int{len(c.texts.data)}, Data: c.texts.data},
		{Name: offsetsName, DType: weights.I64, Shape: []int{len(c.texts.offsets)}, Data: offsets},
	}
	meta := map[string]string{"format": "syntic support memory"}
	return weights.WriteFrom(path, list, meta, func(t weights.Info, w io.Writer) error {
		if t.Name == featuresName {
			return features(w)
		}
		_, err := w.Write(t.Data)
		return err
	})
}

// writeRows writes values in a storage type.
func writeRows(w io.Writer, v []float32, dtype tensor.DType) error {
	info, err := weights.Convert(weights.Info{Name: featuresName, Shape: []int{len(v)}, Data: tensor.FromF32(v, len(v)).Data}, dtype)
	if err != nil {
		return err
	}
	_, err = w.Write(info.Data)
	return err
}
