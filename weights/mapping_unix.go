//go:build linux || darwin

package weights

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openMapping maps a regular file read-only. The mapping is private to this
// inode: a file replaced by rename keeps its old content here.
func openMapping(path string) (*mapping, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m := &mapping{path: path}
	n := st.Size()
	if n == 0 {
		return m, nil
	}
	if int64(int(n)) != n {
		return nil, badf(path, "%d bytes do not fit the address space", n)
	}
	m.data, err = unix.Mmap(int(f.Fd()), 0, int(n), unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		m.mapped = true
		m.track()
		return m, nil
	}
	// Some file systems cannot map; an ordinary read still works.
	m.data = make([]byte, n)
	if _, err := io.ReadFull(f, m.data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func (m *mapping) close() error {
	if !m.mapped {
		m.data = nil
		return nil
	}
	m.untrack()
	m.mapped = false
	data := m.data
	m.data = nil
	return unix.Munmap(data)
}

func (m *mapping) release(b []byte) {
	if !m.mapped || len(b) == 0 {
		return
	}
	page := uintptr(os.Getpagesize())
	base := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	lead := -base & (page - 1)
	if uintptr(len(b)) < lead+page {
		return
	}
	n := (uintptr(len(b)) - lead) &^ (page - 1)
	// Advice only: a refusal costs memory, not correctness.
	_ = unix.Madvise(b[lead:lead+n:lead+n], unix.MADV_DONTNEED)
}
