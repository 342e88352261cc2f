package synth

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBehind: reports come in order, on the caller's goroutine, whatever the order
// in which jobs end; a batch begins when the one before is over.
func TestBehind(t *testing.T) {
	var b Behind
	var order []int
	report := func(i int) error { order = append(order, i); return nil }
	first := make(chan bool)
	var ended atomic.Int32
	require.NoError(t, b.Begin(3, func(i int) error {
		if i == 0 {
			<-first
		}
		ended.Add(1)
		return nil
	}, report))
	require.NoError(t, b.Poll())
	require.Empty(t, order)
	close(first)
	require.NoError(t, b.Begin(2, func(int) error {
		if ended.Load() != 3 {
			return errors.New("the batch before isn't over")
		}
		return nil
	}, report))
	require.Equal(t, []int{0, 1, 2}, order)
	require.NoError(t, b.Wait())
	require.Equal(t, []int{0, 1, 2, 0, 1}, order)
	require.NoError(t, b.Wait())
	require.NoError(t, b.Begin(0, nil, nil))
}

// TestBehindFails: an error comes once, the others' results all the same, and what
// would come next isn't begun.
func TestBehindFails(t *testing.T) {
	var b Behind
	full := errors.New("the disk is full")
	done := 0
	fail := func(i int) error {
		if i == 1 {
			return full
		}
		return nil
	}
	count := func(int) error { done++; return nil }
	require.NoError(t, b.Begin(3, fail, count))
	require.ErrorIs(t, b.Begin(1, func(int) error { t.Error("begun"); return nil }, count), full)
	require.Equal(t, 2, done)
	require.NoError(t, b.Wait())
	require.NoError(t, b.Begin(2, func(int) error { return nil }, fail))
	require.ErrorIs(t, b.Wait(), full)
}
