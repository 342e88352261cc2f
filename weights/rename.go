package weights

import (
	"fmt"
	"slices"
)

// Op is what a name map does to a tensor on its way to the canonical name.
type Op uint8

// The operations of the maps in golden/NAMES.
const (
	Copy      Op = iota // the tensor as it is
	Split0              // rows in equal parts, one per target
	Transpose           // a 2-D transpose
	Squeeze             // [O, I, 1, 1] becomes [O, I]; other shapes stay
)

// String returns the maps' spelling.
func (o Op) String() string {
	return [...]string{"copy", "split0", "transpose", "squeeze"}[o]
}

// NameMap translates one naming scheme to the canonical names. The zero value
// is the identity.
type NameMap struct {
	Naming string // for people: "OpenAI CLIP", "DETR as its authors published it", …
	rule   func(name string) ([]string, Op)
}

// Map returns the canonical names a tensor is read under. A name the scheme does
// not know maps to itself; one that belongs to another component of the same
// file maps to nothing.
func (m NameMap) Map(name string) ([]string, Op) {
	if m.rule == nil {
		return []string{name}, Copy
	}
	return m.rule(name)
}

// Rename presents src under the canonical names. Copy, Split0 and Squeeze give
// views of src's data; Transpose computes a new tensor at each Get. Closing the
// result closes src.
func Rename(src Source, m NameMap) Source {
	if m.rule == nil {
		return src
	}
	r := &renamed{src: src, from: map[string]origin{}}
	for _, name := range src.Names() {
		targets, op := m.Map(name)
		for i, t := range targets {
			if first, dup := r.from[t]; dup {
				first.clash = name
				r.from[t] = first
				continue
			}
			r.from[t] = origin{name: name, op: op, part: i, parts: len(targets)}
			r.names = append(r.names, t)
		}
	}
	slices.Sort(r.names)
	return r
}

// origin says how a canonical tensor is made; clash is a second tensor that
// claims the same name.
type origin struct {
	name, clash string
	op          Op
	part, parts int
}

type renamed struct {
	src   Source
	names []string
	from  map[string]origin
}

func (r *renamed) Names() []string { return r.names }

func (r *renamed) Close() error { return r.src.Close() }

func (r *renamed) Get(name string) (Info, error) { return r.read(name, r.src.Get) }

// read makes the tensor from what get returns, which may lack the data.
func (r *renamed) read(name string, get func(string) (Info, error)) (Info, error) {
	o, ok := r.from[name]
	if !ok {
		return Info{}, fmt.Errorf("%s: %q: %w", pathOf(r.src), name, ErrNotFound)
	}
	if o.clash != "" {
		return Info{}, badTensor(pathOf(r.src), name, "both %q and %q would be read under this name", o.name, o.clash)
	}
	t, err := get(o.name)
	if err != nil {
		return Info{}, err
	}
	t.Name = name
	switch o.op {
	case Split0:
		if len(t.Shape) == 0 || t.Shape[0]%o.parts != 0 {
			return Info{}, badTensor(pathOf(r.src), o.name, "shape %v cannot be split into %d", t.Shape, o.parts)
		}
		t.Shape[0] /= o.parts
		n := len(t.Data) / o.parts
		t.Data = t.Data[o.part*n : (o.part+1)*n : (o.part+1)*n]
	case Transpose:
		if len(t.Shape) != 2 {
			return Info{}, badTensor(pathOf(r.src), o.name, "shape %v is not a matrix", t.Shape)
		}
		if err := Guard(func() error { t = transposed(t); return nil }); err != nil {
			return Info{}, err
		}
	case Squeeze:
		if n := len(t.Shape); n == 4 && t.Shape[2] == 1 && t.Shape[3] == 1 {
			t.Shape = t.Shape[:2]
		}
	}
	return t, nil
}

func transposed(t Info) Info {
	rows, cols, e := t.Shape[0], t.Shape[1], t.DType.Size()
	out := make([]byte, len(t.Data))
	for i := 0; i < rows && len(out) > 0; i++ {
		for j := range cols {
			copy(out[(j*rows+i)*e:][:e], t.Data[(i*cols+j)*e:])
		}
	}
	t.Shape, t.Data, t.m = []int{cols, rows}, out, nil
	return t
}
