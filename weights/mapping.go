package weights

import (
	"runtime/debug"
	"sync"
	"unsafe"
)

// mapping is the read-only image of one file.
type mapping struct {
	path   string
	data   []byte
	mapped bool // data comes from mmap (else from an ordinary read)
}

// live lists the mappings in use, for Guard alone: the runtime reports a fault
// by address, and the error must name the file.
var live struct {
	sync.Mutex
	set map[*mapping]struct{}
}

func (m *mapping) track() {
	live.Lock()
	defer live.Unlock()
	if live.set == nil {
		live.set = map[*mapping]struct{}{}
	}
	live.set[m] = struct{}{}
}

func (m *mapping) untrack() {
	live.Lock()
	defer live.Unlock()
	delete(live.set, m)
}

// fileAt returns the path of the mapped file that covers addr.
func fileAt(addr uintptr) (string, bool) {
	live.Lock()
	defer live.Unlock()
	for m := range live.set {
		base := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
		if addr >= base && addr-base < uintptr(len(m.data)) {
			return m.path, true
		}
	}
	return "", false
}

// Guard runs fn and turns a memory fault inside a mapped checkpoint into an
// error that names the file. Such a fault (SIGBUS) happens when another process
// truncates the file, or when its medium fails, after it was mapped; without
// Guard it ends the process. Any other panic passes through.
//
// Concurrency: it protects the calling goroutine only. A goroutine started by fn
// that reads mapped data needs its own Guard.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if f, ok := r.(interface{ Addr() uintptr }); ok {
			if path, ok := fileAt(f.Addr()); ok {
				err = badf(path, "the file became unreadable while it was in use (was it truncated or overwritten?); load it again")
				return
			}
		}
		panic(r)
	}()
	return fn()
}
