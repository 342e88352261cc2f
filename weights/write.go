package weights

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"
)

// Write writes tensors as a safetensors file, sorted by name behind a header
// padded to 8 bytes. The file appears under path whole or not at all.
//
// Tensors of 8-byte elements come first, then 4, 2 and 1, so that every tensor
// is aligned to its element; within a size the order is by name. Equal input
// gives equal bytes.
//
// Errors: a duplicate, empty, over-long or non-UTF-8 name, data that does not
// match dtype and shape, or a failed write; path is then left as it was.
func Write(path string, tensors []Info, metadata map[string]string) error {
	for _, t := range tensors {
		if size, ok := byteSize(t.Shape, t.DType.Size()); !ok || size != len(t.Data) {
			return badTensor(path, t.Name, "%d bytes of data do not fit %v of shape %v", len(t.Data), t.DType, t.Shape)
		}
	}
	return WriteFrom(path, tensors, metadata, func(t Info, w io.Writer) error {
		_, err := w.Write(t.Data)
		return err
	})
}

// Encode writes what Write would put into a file.
func Encode(w io.Writer, tensors []Info, metadata map[string]string) error {
	const path = "safetensors"
	list := ordered(tensors)
	head, err := encodeHeader(path, list, metadata)
	if err != nil {
		return err
	}
	return Guard(func() error {
		return writeAll(w, path, head, list, func(t Info, w io.Writer) error { _, err := w.Write(t.Data); return err })
	})
}

// ordered returns the tensors in the order of a file.
func ordered(tensors []Info) []Info {
	list := append([]Info(nil), tensors...)
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.DType.Size() != b.DType.Size() {
			return a.DType.Size() > b.DType.Size()
		}
		return a.Name < b.Name
	})
	return list
}

// WriteFrom is Write for data that isn't in memory: data is called once for each
// tensor, in the order of the file, and writes that tensor's bytes. Info.Data
// isn't read. An error of data, or bytes too many or too few, leaves path as it
// was.
func WriteFrom(path string, tensors []Info, metadata map[string]string, data func(t Info, w io.Writer) error) error {
	list := ordered(tensors)
	head, err := encodeHeader(path, list, metadata)
	if err != nil {
		return err
	}
	return Guard(func() error {
		return writeAtomic(path, func(f io.Writer) error { return writeAll(f, path, head, list, data) })
	})
}

func writeAll(f io.Writer, path string, head []byte, list []Info, data func(t Info, w io.Writer) error) error {
	w := &countingWriter{w: bufio.NewWriterSize(f, 1<<20)}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, t := range list {
		size, _ := byteSize(t.Shape, t.DType.Size()) // encodeHeader has checked it
		w.n = 0
		if err := data(t, w); err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, t.Name, err)
		}
		if w.n != size {
			return badTensor(path, t.Name, "%d bytes were written, %v of shape %v has %d", w.n, t.DType, t.Shape, size)
		}
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// countingWriter counts the bytes of the tensor being written.
type countingWriter struct {
	w *bufio.Writer
	n int
}

// Write implements io.Writer.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

// encodeHeader returns the length prefix and the padded header of list.
func encodeHeader(path string, list []Info, metadata map[string]string) ([]byte, error) {
	if len(list) > MaxTensors {
		return nil, badf(path, "%d tensors exceed the limit of %d", len(list), MaxTensors)
	}
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	head := map[string]any{}
	if len(metadata) > 0 {
		head["__metadata__"] = metadata
	}
	at := 0
	for _, t := range list {
		_, dup := head[t.Name]
		size, ok := byteSize(t.Shape, t.DType.Size())
		switch {
		case t.Name == "" || len(t.Name) > MaxName || !utf8.ValidString(t.Name) || t.Name == "__metadata__":
			return nil, badTensor(path, t.Name, "not a usable tensor name")
		case dup:
			return nil, badTensor(path, t.Name, "listed twice")
		case t.DType.Size() == 0:
			return nil, badTensor(path, t.Name, "undefined dtype %d", t.DType)
		case !ok:
			return nil, badTensor(path, t.Name, "shape %v is impossible", t.Shape)
		}
		head[t.Name] = entry{t.DType.String(), append([]int{}, t.Shape...), [2]int{at, at + size}}
		at += size
	}
	text, err := json.Marshal(head)
	if err != nil {
		return nil, badf(path, "header: %v", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if len(text) > MaxHeader {
		return nil, badf(path, "header of %d bytes exceeds %d", len(text), MaxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}
