package par

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime bounds how long a worker burns its core while it waits. Parking at
// once costs a wake-up of 5-50 µs per step; spinning for longer starves other
// processes: on a shared 2-core machine a pure spin barrier took 0.1-4.7 ms a
// step where this one takes about 1 µs.
const spinTime = 20 * time.Microsecond

// The job word: epoch<<17 | open<<16 | active workers.
const (
	openBit    = 1 << 16
	activeMask = openBit - 1
	epochShift = 17
)

// Pool is a fixed set of workers. One goroutine at a time may call Run and
// Reserve; Devices serialise their Programs.
type Pool struct {
	job     atomic.Uint64
	next    atomic.Int64
	tiles   int64
	fn      func(worker, tile int)
	waiting atomic.Bool
	done    chan struct{}
	stop    atomic.Bool
	failure atomic.Pointer[any]
	workers []*worker
	scratch [][]float32

	slabMu sync.Mutex
	slab   []float32 // what is left of Alloc's block
}

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [64]byte // keeps two workers' flags out of one cache line
}

// New starts a pool of n workers, the caller being one of them; n < 1 counts
// as 1. Close ends it.
func New(n int) *Pool {
	n = max(n, 1)
	p := &Pool{done: make(chan struct{}, 1), scratch: make([][]float32, n)}
	for i := 1; i < n; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.serve(w, i)
	}
	return p
}

// Workers returns the number of workers, the caller included.
func (p *Pool) Workers() int { return len(p.workers) + 1 }

// Close ends the workers. The pool must be idle and isn't used again.
func (p *Pool) Close() {
	p.stop.Store(true)
	for _, w := range p.workers {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.workers = nil
}

// Reserve makes sure that every worker's scratch holds n floats. Kernels call
// it when a step is planned, so that Scratch never allocates.
func (p *Pool) Reserve(n int) {
	for i, s := range p.scratch {
		if len(s) < n {
			p.scratch[i] = Aligned(n)
		}
	}
}

// Scratch returns the worker's own buffer of at least as many floats as were
// reserved, aligned to 64 bytes. Its content is left from earlier tiles.
func (p *Pool) Scratch(worker int) []float32 { return p.scratch[worker] }

// Run calls fn(worker, tile) once for every tile in [0, tiles) and returns when
// all calls have returned. Which worker gets which tile is not defined, so a
// result must not depend on it. fn must be made beforehand where allocations
// matter: a closure made at the call escapes. A panic in fn is raised again in
// the caller once every worker has stopped.
//
// Allocs: none.
func (p *Pool) Run(tiles int, fn func(worker, tile int)) {
	if tiles <= 1 || len(p.workers) == 0 {
		for i := 0; i < tiles; i++ {
			fn(0, i)
		}
		return
	}
	p.fn, p.tiles = fn, int64(tiles)
	p.next.Store(0)
	epoch := p.job.Load()>>epochShift + 1
	p.job.Store(epoch<<epochShift | openBit)
	for i, w := range p.workers {
		if i+1 >= tiles {
			break
		}
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.drain(0)
	p.finish()
	p.fn = nil
	if f := p.failure.Swap(nil); f != nil {
		panic(*f)
	}
}

// finish closes the job, so that a worker that wakes too late doesn't join it,
// and waits for those that did.
func (p *Pool) finish() {
	if p.job.And(^uint64(openBit))&activeMask == 0 {
		return
	}
	for start, i := time.Now(), 0; ; i++ {
		if p.job.Load()&activeMask == 0 {
			return
		}
		if i&63 == 63 && time.Since(start) > spinTime {
			break
		}
	}
	p.waiting.Store(true)
	if p.job.Load()&activeMask == 0 && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.done
}

// drain runs tiles until none is left. A panic empties the counter, so that
// the others stop too, and is kept for Run to raise.
func (p *Pool) drain(id int) {
	defer func() {
		if r := recover(); r != nil {
			p.next.Store(p.tiles)
			f := r // r itself must not escape: it would be allocated on every call
			p.failure.CompareAndSwap(nil, &f)
		}
	}()
	for {
		i := p.next.Add(1) - 1
		if i >= p.tiles {
			return
		}
		p.fn(id, int(i))
	}
}

func (p *Pool) serve(w *worker, id int) {
	// Kernels read mapped files; a file cut short while it is mapped must be a
	// panic that the caller can turn into an error, not the end of the process.
	debug.SetPanicOnFault(true)
	var seen uint64
	for idle := time.Now(); !p.stop.Load(); {
		for i := 0; ; i++ {
			s := p.job.Load()
			if s>>epochShift != seen && s&openBit != 0 {
				if !p.job.CompareAndSwap(s, s+1) {
					continue
				}
				seen = s >> epochShift
				p.drain(id)
				if left := p.job.Add(^uint64(0)); left&(openBit|activeMask) == 0 && p.waiting.CompareAndSwap(true, false) {
					p.done <- struct{}{}
				}
				idle = time.Now()
			}
			if i&63 == 63 && time.Since(idle) > spinTime {
				break
			}
		}
		w.parked.Store(true)
		s := p.job.Load()
		fresh := s>>epochShift != seen && s&openBit != 0
		if (fresh || p.stop.Load()) && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
		idle = time.Now()
	}
}
