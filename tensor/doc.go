// Package tensor holds the host side of tensors: element types, shapes and
// views of checkpoint data. It runs nothing; package graph records programs
// over these types and a device executes them.
package tensor
