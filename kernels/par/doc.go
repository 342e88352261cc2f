// Package par runs the tiles of one kernel on a few persistent workers.
//
// It is made for steps of 10 µs to 10 ms, thousands a second, with no
// allocation and no scheduling decision left to the Go runtime: the caller is
// worker 0, tiles are handed out by an atomic counter, and a worker that finds
// nothing to do spins for at most 20 µs and then parks. It isn't a general
// task queue. Every kernel package may import it.
package par
