// Package bench measures this engine: the workloads of peers/peers_cpu.py, by
// the same names and sizes, as our own table with its share of the machine's
// peaks, and as a worker that races beside other engines.
//
// Every workload runs as the product would run it: kernels as Programs of one
// operation on a device, models through their own packages, weights packed
// beforehand. Weights and inputs are random, never zeros.
//
// It is no profiler and prints nothing by itself. Room 7: only cmd imports it.
package bench
