package weights

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
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

// culprit returns the path of the mapped file behind a fault at addr. Emulators
// (qemu-user 7.2) report no address; then it is the file that is shorter now
// than its mapping.
func culprit(addr uintptr) (string, bool) {
	live.Lock()
	defer live.Unlock()
	for m := range live.set {
		if addr == 0 {
			if st, err := os.Stat(m.path); err == nil && st.Size() < int64(len(m.data)) {
				return m.path, true
			}
			continue
		}
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
		if fault, ok := r.(runtime.Error); ok && strings.Contains(fault.Error(), "invalid memory address") {
			var addr uintptr
			if f, ok := r.(interface{ Addr() uintptr }); ok {
				addr = f.Addr()
			}
			if path, ok := culprit(addr); ok {
				err = badf(path, "the file became unreadable while it was in use (was it truncated or overwritten?); load it again")
				return
			}
		}
		panic(r)
	}()
	return fn()
}
