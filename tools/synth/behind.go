package synth

import (
	"errors"
	"runtime"
	"sync/atomic"
)

// Behind writes the results of a batch while the next one is drawn. One batch is
// written at a time, so at most two are in memory. The zero value is ready.
//
// Concurrency: its methods are for one goroutine, where reports are made too.
type Behind struct {
	done   []chan error // of the batch begun last; what was taken is behind at
	at     int
	report func(i int) error
}

// Begin waits for the batch before and begins n jobs on the processor's cores. report
// is called for every one that was done, in their order, by a later call.
//
// Errors: those of Wait, with which nothing is begun.
func (b *Behind) Begin(n int, job, report func(i int) error) error {
	if err := b.Wait(); err != nil {
		return err
	}
	b.done, b.at, b.report = make([]chan error, n), 0, report
	for i := range b.done {
		b.done[i] = make(chan error, 1)
	}
	done, next := b.done, new(atomic.Int64)
	for range min(n, runtime.GOMAXPROCS(0)) {
		go func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				done[i] <- job(int(i))
			}
		}()
	}
	return nil
}

// Poll reports the jobs that are done by now.
//
// Errors: a job's or a report's, the first.
func (b *Behind) Poll() error {
	for b.at < len(b.done) {
		select {
		case err := <-b.done[b.at]:
			if err := b.take(err); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// Wait reports all jobs, once they are done: none goes on after it.
//
// Errors: the jobs' and reports' that Poll hasn't returned.
func (b *Behind) Wait() error {
	var errs []error
	for b.at < len(b.done) {
		errs = append(errs, b.take(<-b.done[b.at]))
	}
	*b = Behind{}
	return errors.Join(errs...)
}

// take reports the next job.
func (b *Behind) take(err error) error {
	b.at++
	if err != nil {
		return err
	}
	return b.report(b.at - 1)
}
