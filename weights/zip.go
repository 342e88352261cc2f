package weights

import (
	"bytes"
	"fmt"
)

// maxEntries bounds a zip archive: a storage per tensor and TorchScript's code.
const maxEntries = 2*MaxTensors + 1000

// zipFiles are the stored entries of an archive as views of it; a compressed
// entry is listed without its data.
type zipFiles map[string]zipFile

type zipFile struct {
	data   []byte
	packed bool
}

// open returns an entry's bytes. torch stores all that matters uncompressed
// (TorchScript's source text alone is not), so a compressed entry is refused and
// a bomb has nothing to expand.
func (z zipFiles) open(name string) ([]byte, error) {
	f, ok := z[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is missing from the archive", name)
	case f.packed:
		return nil, fmt.Errorf("zip entry %q is compressed or encrypted; save the file again with PyTorch, which stores it as it is", name)
	}
	return f.data, nil
}

// readZipDirectory lists an archive. archive/zip would copy every entry and
// allocate for as many as the file claims.
// Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3 (zip64).
func readZipDirectory(data []byte) (zipFiles, error) {
	count, dir, err := zipDirectory(data)
	if err != nil {
		return nil, err
	}
	if count > maxEntries {
		return nil, fmt.Errorf("zip archive of %d entries; the limit is %d", count, maxEntries)
	}
	files := zipFiles{}
	for range count {
		e, rest, err := zipEntry(dir)
		if err != nil {
			return nil, err
		}
		dir = rest
		if _, dup := files[e.name]; dup {
			return nil, fmt.Errorf("zip entry %q is listed twice", e.name)
		}
		if e.method != 0 || e.size != e.stored || e.flags&1 != 0 {
			files[e.name] = zipFile{packed: true}
			continue
		}
		local, err := sub(data, e.offset, 30)
		if err != nil || !bytes.HasPrefix(local, []byte("PK\x03\x04")) {
			return nil, fmt.Errorf("zip entry %q has no local header", e.name)
		}
		skip := 30 + uint64(le.Uint16(local[26:])) + uint64(le.Uint16(local[28:]))
		view, err := sub(data, e.offset+skip, e.size)
		if err != nil {
			return nil, fmt.Errorf("zip entry %q: %w", e.name, err)
		}
		files[e.name] = zipFile{data: view}
	}
	return files, nil
}

// sub returns b[at : at+n], checked without overflow.
func sub(b []byte, at, n uint64) ([]byte, error) {
	if at > uint64(len(b)) || n > uint64(len(b))-at {
		return nil, fmt.Errorf("%d bytes at %d lie outside the file (is the download complete?)", n, at)
	}
	return b[at : at+n : at+n], nil
}

// zipDirectory finds the central directory from the records at the end.
func zipDirectory(data []byte) (count uint64, dir []byte, err error) {
	from := max(0, len(data)-22-65535)
	i := bytes.LastIndex(data[from:], []byte("PK\x05\x06"))
	if i < 0 || len(data)-(from+i) < 22 {
		return 0, nil, fmt.Errorf("zip archive without an end record (is the download complete?)")
	}
	end := data[from+i:]
	count, size, at := uint64(le.Uint16(end[10:])), uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	if loc := from + i - 20; loc >= 0 && bytes.HasPrefix(data[loc:], []byte("PK\x06\x07")) {
		end64, err := sub(data, le.Uint64(data[loc+8:]), 56)
		if err != nil || !bytes.HasPrefix(end64, []byte("PK\x06\x06")) {
			return 0, nil, fmt.Errorf("zip64 end record is damaged")
		}
		count, size, at = le.Uint64(end64[32:]), le.Uint64(end64[40:]), le.Uint64(end64[48:])
	}
	dir, err = sub(data, at, size)
	if err != nil {
		return 0, nil, fmt.Errorf("zip directory: %w", err)
	}
	return count, dir, nil
}

type zipHeader struct {
	name                 string
	method, flags        uint16
	stored, size, offset uint64
}

// zipEntry reads one header of the central directory.
func zipEntry(dir []byte) (e zipHeader, rest []byte, err error) {
	if len(dir) < 46 || !bytes.HasPrefix(dir, []byte("PK\x01\x02")) {
		return e, nil, fmt.Errorf("zip directory is damaged")
	}
	nameLen, extraLen, noteLen := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
	if len(dir) < 46+nameLen+extraLen+noteLen || nameLen > MaxName {
		return e, nil, fmt.Errorf("zip directory is damaged")
	}
	e.flags, e.method = le.Uint16(dir[8:]), le.Uint16(dir[10:])
	e.stored, e.size, e.offset = uint64(le.Uint32(dir[20:])), uint64(le.Uint32(dir[24:])), uint64(le.Uint32(dir[42:]))
	e.name = string(dir[46:][:nameLen])
	for x := dir[46+nameLen:][:extraLen]; len(x) >= 4; {
		n := int(le.Uint16(x[2:]))
		if n > len(x)-4 {
			return e, nil, fmt.Errorf("zip entry %q: extra field is damaged", e.name)
		}
		if le.Uint16(x) == 1 { // zip64: the 64-bit values of the fields that are all ones, in order
			v := x[4 : 4+n]
			for _, f := range []*uint64{&e.size, &e.stored, &e.offset} {
				if *f == 0xffffffff && len(v) >= 8 {
					*f, v = le.Uint64(v), v[8:]
				}
			}
		}
		x = x[4+n:]
	}
	return e, dir[46+nameLen+extraLen+noteLen:], nil
}
