package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"sort"
	"unicode/utf8"
)

// Limits on a safetensors header. The format itself bounds only the header;
// the others stop a small file from costing much CPU or memory.
const (
	MaxHeader  = 100_000_000 // bytes. Source: safetensors/src/tensor.rs, MAX_HEADER_SIZE
	MaxTensors = 20_000      // Stable Diffusion in one file has about 1,200
	MaxName    = 1024        // bytes of a tensor name or metadata key
	MaxRank    = 32
)

// OpenSafetensors maps one safetensors file and checks its whole header: the
// tensors must tile the data section with no hole and no overlap.
//
// Errors: *FormatError for a bad file, *fs.PathError where it cannot be opened.
// Allocs: proportional to the number of tensors, never to sizes the file claims.
func OpenSafetensors(path string) (Source, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	f, err := parseSafetensors(path, m)
	if err != nil {
		_ = m.close()
		return nil, err
	}
	return f, nil
}

// FromBytes reads a safetensors image in memory, for example an embedded bundle.
// name stands for the path in messages. The tensors are views of data.
func FromBytes(name string, data []byte) (Source, error) {
	return parseSafetensors(name, &mapping{path: name, data: data})
}

// parseSafetensors checks a safetensors image and describes its tensors.
// Source: safetensors README, "Format".
func parseSafetensors(path string, m *mapping) (*fileSource, error) {
	var f *fileSource
	err := Guard(func() error {
		var err error
		f, err = parseImage(path, m)
		return err
	})
	return f, err
}

func parseImage(path string, m *mapping) (*fileSource, error) {
	data := m.data
	if len(data) < 8 {
		return nil, badf(path, "%d bytes is too short for a safetensors file (is the download complete?)", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if len(data) > 8 && data[8] != '{' && bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return nil, badf(path, "this is a Git LFS pointer, not the weights; run `git lfs pull` or download the file itself")
	}
	if n > MaxHeader {
		return nil, badf(path, "header length %d exceeds %d bytes; not a safetensors file, or damaged", n, MaxHeader)
	}
	if n > uint64(len(data)-8) {
		return nil, badf(path, "header length %d, but only %d bytes follow (is the download complete?)", n, len(data)-8)
	}
	head, body := data[8:8+n], data[8+n:]
	if n == 0 || head[0] != '{' {
		return nil, badf(path, "header does not begin with '{'")
	}
	if !utf8.Valid(head) {
		return nil, badf(path, "header is not UTF-8")
	}
	if c := bytes.Count(head, []byte(`"data_offsets"`)); c > MaxTensors {
		return nil, badf(path, "header lists %d tensors; the limit is %d", c, MaxTensors)
	}
	h := headerParser{scanner: scanner{b: head}, path: path}
	if err := h.parse(); err != nil {
		return nil, err
	}
	if err := checkTiling(path, h.entries, len(body)); err != nil {
		return nil, err
	}
	infos := make(map[string]Info, len(h.entries))
	for _, e := range h.entries {
		if _, dup := infos[e.name]; dup {
			return nil, badTensor(path, e.name, "listed twice")
		}
		infos[e.name] = Info{Name: e.name, DType: e.dtype, Shape: e.shape, Data: body[e.begin:e.end:e.end], m: m}
	}
	meta, err := h.metadata()
	if err != nil {
		return nil, err
	}
	return newFile(path, infos, meta, m), nil
}

// checkTiling requires the entries, in order of their offsets, to cover
// [0, size) exactly.
func checkTiling(path string, entries []headerEntry, size int) error {
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		return a.end < b.end
	})
	at := uint64(0)
	for _, e := range entries {
		switch {
		case e.end > uint64(size):
			return badTensor(path, e.name, "ends at byte %d of %d data bytes (is the download complete?)", e.end, size)
		case e.begin < at:
			return badTensor(path, e.name, "overlaps the tensor before it (begins at %d, before %d)", e.begin, at)
		case e.begin > at:
			return badTensor(path, e.name, "hole of %d bytes before it", e.begin-at)
		}
		at = e.end
	}
	if at != uint64(size) {
		return badf(path, "%d bytes after the last tensor belong to none", uint64(size)-at)
	}
	return nil
}

// headerEntry is one tensor of the header; begin <= end, and end-begin is the
// size its dtype and shape ask for.
type headerEntry struct {
	name       string
	dtype      DType
	shape      []int
	begin, end uint64
}

// headerParser reads the JSON header in one pass. It is not encoding/json,
// because duplicate keys must be seen and nothing may be allocated for what a
// hostile header merely claims.
type headerParser struct {
	scanner
	path    string
	entries []headerEntry
	meta    []byte // the raw "__metadata__" object
}

func (h *headerParser) parse() error {
	seenMeta := false
	err := h.object(func(key string) error {
		if key == "__metadata__" {
			if seenMeta {
				return badf(h.path, `"__metadata__" is listed twice`)
			}
			seenMeta = true
			h.space()
			begin := h.pos
			err := h.object(func(string) error { _, err := h.rawString(); return err })
			h.meta = h.b[begin:h.pos]
			return err
		}
		if len(h.entries) == MaxTensors {
			return badf(h.path, "header lists more than %d tensors", MaxTensors)
		}
		return h.entry(key)
	})
	if err == nil {
		h.space()
		if h.pos != len(h.b) {
			err = h.errorf("text after the closing brace")
		}
	}
	return h.wrap(err)
}

// metadata decodes the pairs after the tensors were found sound.
func (h *headerParser) metadata() (map[string]string, error) {
	if h.meta == nil {
		return nil, nil
	}
	meta := map[string]string{}
	s := scanner{b: h.meta}
	err := s.object(func(key string) error {
		if _, dup := meta[key]; dup {
			return badf(h.path, "metadata key %q is listed twice", key)
		}
		v, err := s.text(len(h.meta))
		meta[key] = v
		return err
	})
	return meta, h.wrap(err)
}

// wrap adds the path to a syntax error.
func (h *headerParser) wrap(err error) error {
	var s syntaxError
	if errors.As(err, &s) {
		return badf(h.path, "header is not valid: %v", s)
	}
	return err
}

// entry reads {"dtype":…, "shape":…, "data_offsets":…} in any order.
func (h *headerParser) entry(name string) error {
	e := headerEntry{name: name}
	var have [3]bool
	once := func(i int, key string) error {
		if have[i] {
			return badTensor(h.path, name, "%q is given twice", key)
		}
		have[i] = true
		return nil
	}
	var offsets []uint64
	err := h.object(func(key string) error {
		switch key {
		case "dtype":
			if err := once(0, key); err != nil {
				return err
			}
			s, err := h.text(MaxName)
			if err != nil {
				return err
			}
			var ok bool
			if e.dtype, ok = ParseDType(s); !ok {
				return badTensor(h.path, name, "unknown dtype %q", s)
			}
			return nil
		case "shape":
			if err := once(1, key); err != nil {
				return err
			}
			dims, err := h.uints(MaxRank)
			e.shape = make([]int, len(dims))
			for i, d := range dims {
				e.shape[i] = int(d)
				if e.shape[i] < 0 || uint64(e.shape[i]) != d {
					return badTensor(h.path, name, "dimension %d is too large", d)
				}
			}
			return err
		case "data_offsets":
			if err := once(2, key); err != nil {
				return err
			}
			var err error
			offsets, err = h.uints(2)
			return err
		}
		return badTensor(h.path, name, "unknown key %q", key)
	})
	if err != nil {
		return err
	}
	if have != [3]bool{true, true, true} || len(offsets) != 2 {
		return badTensor(h.path, name, "needs dtype, shape and two data_offsets")
	}
	e.begin, e.end = offsets[0], offsets[1]
	size, ok := byteSize(e.shape, e.dtype.Size())
	switch {
	case !ok:
		return badTensor(h.path, name, "size of shape %v overflows", e.shape)
	case e.begin > e.end:
		return badTensor(h.path, name, "data_offsets [%d, %d] run backwards", e.begin, e.end)
	case e.end-e.begin != uint64(size):
		return badTensor(h.path, name, "data_offsets [%d, %d] hold %d bytes, but %v of shape %v needs %d",
			e.begin, e.end, e.end-e.begin, e.dtype, e.shape, size)
	}
	h.entries = append(h.entries, e)
	return nil
}

// uints reads an array of at most limit unsigned integers.
func (s *scanner) uints(limit int) ([]uint64, error) {
	var out []uint64
	err := s.list('[', ']', func() error {
		if len(out) == limit {
			return s.errorf("array of more than %d numbers", limit)
		}
		v, err := s.uint()
		out = append(out, v)
		return err
	})
	return out, err
}

// uint reads an unsigned decimal integer without sign, fraction or exponent.
func (s *scanner) uint() (uint64, error) {
	s.space()
	begin := s.pos
	var v uint64
	for s.pos < len(s.b) && s.b[s.pos]-'0' <= 9 {
		hi, lo := bits.Mul64(v, 10)
		sum, carry := bits.Add64(lo, uint64(s.b[s.pos]-'0'), 0)
		if hi != 0 || carry != 0 {
			return 0, s.errorf("number exceeds 64 bits")
		}
		v = sum
		s.pos++
	}
	if s.pos == begin || s.pos-begin > 1 && s.b[begin] == '0' {
		return 0, s.errorf("expected an unsigned integer")
	}
	return v, nil
}
