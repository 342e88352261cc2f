//go:build cuda && linux

// Package cux adds to gorgonia.org/cu what it lacks: launch lists that one call
// replays, their capture as a graph, page-locked memory, and errors that carry
// the driver's names.
package cux
