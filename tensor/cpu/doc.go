// Package cpu is the graph.Device of this machine's processor: it binds every
// recorded operation to the kernels of one instruction set and replays them on
// one pool of workers.
//
// Weights are packed once per device and shared by its Programs; a Program's
// activations lie in one arena. Models receive the device as a graph.Device and
// don't import this package; commands and tests make it.
package cpu
