// Package devtest is the compliance suite of graph.Device: every operation on
// odd shapes against the reference device, random programs against the same
// programs run without fusion or shared memory, equal bits for any number of
// threads and any batch, no allocations, cancellation, and errors.
//
// A device passes when Suite.Run does; Suite.Benchmark times the same cases.
// Tests of devices import it. Its reference device is slow on purpose: float64,
// one buffer per value, no fusion of its own.
package devtest
