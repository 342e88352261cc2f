package read

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// json streams the forms that are one JSON value: the arrays of records inside
// are decoded one record at a time.
func (p *parser) json(r io.Reader, format Format) error {
	src := &source{r: r, left: maxRecord, line: 1}
	d := json.NewDecoder(src)
	err := p.document(d, src, format)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("something follows the JSON value")
	}
	at := d.InputOffset()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, err = src.offset, errors.New("the JSON ends too early; the file is cut")
	}
	if syn := new(json.SyntaxError); errors.As(err, &syn) {
		at = max(at, syn.Offset)
	}
	return &Error{File: p.set.Name, Line: src.lineAt(at), Err: err}
}

// source bounds the bytes read for one record and knows the line of an offset.
type source struct {
	r      io.Reader
	left   int
	offset int64
	breaks []int64 // line breaks read but not yet passed
	line   int     // line of the last offset asked for
}

func (s *source) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, fmt.Errorf("a JSON record is longer than %d MiB", maxRecord>>20)
	}
	n, err := s.r.Read(b)
	for i, c := range b[:n] {
		if c == '\n' {
			s.breaks = append(s.breaks, s.offset+int64(i))
		}
	}
	s.offset += int64(n)
	s.left -= n
	return n, err
}

// lineAt is the line of a byte offset; offsets must not decrease.
func (s *source) lineAt(offset int64) int {
	k := 0
	for k < len(s.breaks) && s.breaks[k] < offset {
		k++
	}
	s.line += k
	s.breaks = append(s.breaks[:0], s.breaks[k:]...)
	return s.line
}

func (p *parser) document(d *json.Decoder, src *source, format Format) error {
	switch format {
	case Results, List:
		return each(d, src, p.record)
	case Karpathy:
		return field(d, src, "images", p.karpathy)
	}
	return field(d, src, "annotations", p.record)
}

// each decodes every element of the array d stands before into a T and calls f
// with it and its line.
func each[T any](d *json.Decoder, src *source, f func(rec *T, line int) error) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("found %v where a list must begin; is this another form of file?", t)
	}
	for d.More() {
		src.left = maxRecord
		var rec T
		if err := d.Decode(&rec); err != nil {
			return err
		}
		if err := f(&rec, src.lineAt(d.InputOffset())); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// field is each for the list under key in the object d stands before; other
// fields are passed over.
func field[T any](d *json.Decoder, src *source, key string, f func(rec *T, line int) error) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("found %v where an object must begin; is this another form of file?", t)
	}
	found := false
	for d.More() {
		src.left = maxRecord
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name == key {
			found = true
			err = each(d, src, f)
		} else {
			err = skip(d, src)
		}
		if err != nil {
			return err
		}
	}
	if _, err = d.Token(); err == nil && !found {
		err = fmt.Errorf("there is no %q; is this another form of file?", key)
	}
	return err
}

// skip passes over one value, a list's elements one by one: COCO's "images"
// alone is 40 000 records.
func skip(d *json.Decoder, src *source) error {
	depth := 0
	for {
		src.left = maxRecord
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// split is one picture of a split file.
// Source: Karpathy and Fei-Fei 2015, dataset_coco.json.
type split struct {
	Split     string
	Filename  string
	CocoID    json.RawMessage `json:"cocoid"`
	Sentences []struct{ Raw string }
}

func (p *parser) karpathy(rec *split, line int) error {
	want := p.o.Split
	if want == "" {
		want = "test"
	}
	if rec.Split != want {
		return nil
	}
	id := name(rec.CocoID)
	if id == "" {
		id = rec.Filename
	}
	if len(rec.Sentences) == 0 {
		return fmt.Errorf("picture %q has no sentences", id)
	}
	for _, s := range rec.Sentences {
		if err := p.add(id, []string{s.Raw}, line); err != nil {
			return err
		}
	}
	return nil
}
