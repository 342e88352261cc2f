package weights

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"sort"
)

// Info is one tensor: its description and a view of its bytes.
//
// Data is little endian, row-major and contiguous, in the stored dtype; for a
// file it is a view of the mapping, not a copy, read-only, valid until the
// Source is closed, and with no alignment guaranteed (writers usually align to
// 8, third-party files need not). Read a mapped view under Guard.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar; dimensions may be 0
	Data  []byte

	m *mapping // the mapping Data lies in; nil for memory
}

// Release tells the operating system that the pages wholly inside Data are not
// needed for now; a later read brings them back from the file. It keeps resident
// memory flat while a checkpoint is packed tensor by tensor. It does nothing for
// a tensor that is not a view of a mapped file.
func (t Info) Release() {
	if t.m != nil {
		t.m.release(t.Data)
	}
}

// Elems returns the number of elements, 1 for a scalar.
func (t Info) Elems() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Source is a set of named tensors.
//
// Names is sorted and must not be changed by the caller. Get returns an error
// wrapping ErrNotFound for a name the source lacks. After Close no Data obtained
// from the source may be touched.
//
// Concurrency: Names and Get may be called from several goroutines.
type Source interface {
	Names() []string
	Get(name string) (Info, error)
	Close() error
}

// ErrNotFound is wrapped by Source.Get for a name the source does not hold.
var ErrNotFound = errors.New("no such tensor")

// FormatError says which file (and which tensor of it) could not be used and why.
type FormatError struct {
	Path   string
	Tensor string // empty when the fault is not one tensor's
	Reason string
}

// Error returns "path: tensor "name": reason".
func (e *FormatError) Error() string {
	if e.Tensor != "" {
		return fmt.Sprintf("%s: tensor %q: %s", e.Path, e.Tensor, e.Reason)
	}
	return e.Path + ": " + e.Reason
}

func badf(path, format string, args ...any) error {
	return &FormatError{Path: path, Reason: fmt.Sprintf(format, args...)}
}

func badTensor(path, name, format string, args ...any) error {
	return &FormatError{Path: path, Tensor: name, Reason: fmt.Sprintf(format, args...)}
}

// fileSource is a Source whose tensors lie in zero or more mappings.
type fileSource struct {
	path  string
	names []string
	infos map[string]Info
	meta  map[string]string
	maps  []*mapping
}

func newFile(path string, infos map[string]Info, meta map[string]string, maps ...*mapping) *fileSource {
	names := make([]string, 0, len(infos))
	for n := range infos {
		names = append(names, n)
	}
	sort.Strings(names)
	return &fileSource{path: path, names: names, infos: infos, meta: meta, maps: maps}
}

func (f *fileSource) Names() []string { return f.names }

func (f *fileSource) Get(name string) (Info, error) {
	if f.infos == nil {
		return Info{}, fmt.Errorf("%s: %w", f.path, os.ErrClosed)
	}
	t, ok := f.infos[name]
	if !ok {
		return Info{}, fmt.Errorf("%s: %q: %w", f.path, name, ErrNotFound)
	}
	t.Shape = slices.Clone(t.Shape)
	return t, nil
}

func (f *fileSource) Close() error {
	var err error
	for _, m := range f.maps {
		err = errors.Join(err, m.close())
	}
	f.maps, f.infos = nil, nil
	return err
}

// Metadata returns the "__metadata__" pairs of a safetensors source, nil where
// there are none.
func Metadata(src Source) map[string]string {
	switch s := src.(type) {
	case *fileSource:
		return s.meta
	case *renamed:
		return Metadata(s.src)
	}
	return nil
}

// pathOf names a source in messages.
func pathOf(src Source) string {
	switch s := src.(type) {
	case *fileSource:
		return s.path
	case *renamed:
		return pathOf(s.src)
	case *synthetic:
		return "synthetic weights"
	}
	return "weights"
}

// byteSize returns the bytes of a tensor, false if that overflows an int or a
// dimension is negative.
func byteSize(shape []int, elem int) (int, bool) {
	n := uint64(elem)
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > 1<<62 {
			return 0, false
		}
		n = lo
	}
	return int(n), uint64(int(n)) == n
}
