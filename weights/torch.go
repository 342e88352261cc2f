package weights

import (
	"bytes"
	"errors"
	"fmt"
	"path"
)

// OpenTorch maps a PyTorch checkpoint: what torch.save writes (zip, or the older
// stream of pickles) or a TorchScript archive such as OpenAI's ViT-B-32.pt. The
// tensors are views of the mapping; only those that are not contiguous are
// copied. A checkpoint that wraps the state in "state_dict" or "model" is
// unwrapped; otherwise nested names are joined with dots.
//
// Nothing in the file is executed: its pickle may name tensor constructors and
// plain containers only, and any other global is refused by name.
//
// Errors: *FormatError, *fs.PathError.
func OpenTorch(file string) (Source, error) {
	m, err := openMapping(file)
	if err != nil {
		return nil, err
	}
	src, err := parseTorch(file, m)
	if err != nil {
		_ = m.close()
		return nil, err
	}
	return src, nil
}

func parseTorch(path string, m *mapping) (Source, error) {
	var src Source
	err := Guard(func() error {
		root, err := readTorch(m.data)
		if err != nil {
			return err
		}
		infos, err := collect(root, m)
		if err != nil {
			return err
		}
		src = newFile(path, infos, nil, m)
		return nil
	})
	var typed *FormatError
	if err != nil && !errors.As(err, &typed) {
		err = badf(path, "%v", err)
	}
	return src, err
}

// readTorch returns the pickled object with every storage bound to its bytes.
func readTorch(data []byte) (any, error) {
	switch {
	case bytes.HasPrefix(data, []byte("PK")):
		return readZip(data)
	case isTar(data[:min(len(data), 512)]):
		return nil, errors.New("tar checkpoint from before PyTorch 0.2; load it with PyTorch and save it again")
	}
	return readLegacy(data)
}

// storageID checks the persistent id of a storage:
// ("storage", class, key, location, elements[, view]).
func storageID(id any) (*storage, error) {
	t, ok := id.(pyTuple)
	if !ok || len(t) < 5 {
		return nil, errors.New("persistent id is not a storage's")
	}
	kind, _ := t[0].(string)
	class, ok1 := t[1].(storageType)
	key, ok2 := t[2].(string)
	if kind != "storage" || !ok1 || !ok2 {
		return nil, errors.New("persistent id is not a storage's")
	}
	n, err := nonNegative(t[4])
	if err != nil {
		return nil, err
	}
	if len(t) > 5 && t[5] != nil {
		return nil, errors.New("storage is a view of another one; save the file again with a newer PyTorch")
	}
	return &storage{dtype: DType(class), key: key, elems: n}, nil
}

// bind gives s its bytes if b holds them all.
func (s *storage) bind(b []byte) error {
	n, ok := byteSize([]int{int(s.elems)}, s.dtype.Size())
	if !ok || int64(int(s.elems)) != s.elems || n > len(b) {
		return fmt.Errorf("storage %q claims %d elements of %v, but has %d bytes", s.key, s.elems, s.dtype, len(b))
	}
	s.data = b[:n:n]
	return nil
}

// readZip reads the archive of torch.save or torch.jit.save: one data.pkl and
// beside it data/KEY for every storage.
func readZip(data []byte) (any, error) {
	files, err := readZipDirectory(data)
	if err != nil {
		return nil, err
	}
	var dir string
	found := 0
	for name := range files {
		if path.Base(name) == "data.pkl" {
			dir = name[:len(name)-len("data.pkl")]
			found++
		}
	}
	switch {
	case found == 0:
		return nil, errors.New("zip archive without data.pkl; torch.save did not write it")
	case found > 1:
		return nil, fmt.Errorf("zip archive with %d data.pkl; which one holds the weights cannot be told", found)
	}
	if order, err := files.open(dir + "byteorder"); err == nil && string(order) != "little" {
		return nil, errors.New("big-endian checkpoint")
	}
	pickle, err := files.open(dir + "data.pkl")
	if err != nil {
		return nil, err
	}
	_, script := files[dir+"constants.pkl"]
	u := unpickler{data: pickle, script: script, persist: func(id any) (any, error) {
		s, err := storageID(id)
		if err != nil {
			return nil, err
		}
		b, err := files.open(dir + "data/" + s.key)
		if err != nil {
			return nil, fmt.Errorf("storage: %w", err)
		}
		return s, s.bind(b)
	}}
	return u.run()
}

// legacyMagic opens the stream format. Source: torch/serialization.py, MAGIC_NUMBER.
const legacyMagic = pyBigInt("119547037146038801333356")

// readLegacy reads the stream format: pickles of the magic number, the protocol
// version, the system's properties, the object and the storage keys, then for
// each key the element count (int64) and the elements.
func readLegacy(data []byte) (any, error) {
	storages := map[string]*storage{}
	pos := 0
	next := func() (any, error) {
		u := unpickler{data: data, pos: pos, persist: func(id any) (any, error) {
			s, err := storageID(id)
			if err != nil {
				return nil, err
			}
			if old, ok := storages[s.key]; ok {
				if old.dtype != s.dtype || old.elems != s.elems {
					return nil, fmt.Errorf("storage %q is described in two ways", s.key)
				}
				return old, nil
			}
			storages[s.key] = s
			return s, nil
		}}
		v, err := u.run()
		pos = u.pos
		return v, err
	}
	var parts [5]any
	for i := range parts {
		var err error
		if parts[i], err = next(); err != nil {
			return nil, err
		}
		if i == 0 && parts[0] != any(legacyMagic) {
			return nil, errors.New("neither a zip archive nor PyTorch's stream format")
		}
	}
	if version, ok := parts[1].(int64); !ok || version != 1001 {
		return nil, errors.New("stream format of an unknown version")
	}
	if info, ok := parts[2].(*pyDict); ok {
		if v, ok := info.get("little_endian").(bool); ok && !v {
			return nil, errors.New("big-endian checkpoint")
		}
	}
	keys, ok := parts[4].(*pyList)
	if !ok {
		return nil, errors.New("list of storages is missing")
	}
	return parts[3], bindLegacy(data[pos:], keys.items, storages)
}

func bindLegacy(data []byte, keys []any, storages map[string]*storage) error {
	for _, k := range keys {
		key, _ := k.(string)
		s, ok := storages[key]
		if !ok || s.data != nil {
			return fmt.Errorf("storage %q is listed twice or not used", key)
		}
		if len(data) < 8 || le.Uint64(data) != uint64(s.elems) {
			return fmt.Errorf("storage %q is not where the stream should have it (is the download complete?)", key)
		}
		data = data[8:]
		if err := s.bind(data); err != nil {
			return err
		}
		data = data[len(s.data):]
	}
	for _, s := range storages {
		if s.data == nil {
			return fmt.Errorf("storage %q is missing from the stream", s.key)
		}
	}
	return nil
}

// get returns the value of a string key, nil where there is none.
func (d *pyDict) get(key string) any {
	for i, k := range d.keys {
		if k == any(key) {
			return d.vals[i]
		}
	}
	return nil
}
