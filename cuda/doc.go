// Package cuda is the graph.Device of an NVIDIA GPU: it binds every recorded
// operation to kernels of our own (src/*.cu) through gorgonia.org/cu, with no
// CUDA library but the driver, and replays a Program as one captured CUDA graph.
//
// The device exists in builds with the tag cuda, for Linux; other builds find
// this documentation alone and need no C compiler. The driver is opened when the
// first device is, so such a binary starts and works where there is none.
//
// Weights are packed once per device and shared by its Programs; a Program's
// activations lie in one arena, and its inputs and outputs pass through
// page-locked memory. All sums are in float32 with a fixed order, so bits depend
// on neither batch nor GPU load.
//
// Tests run the same sources on the CPU (emu: a stand-in libcuda.so.1) through
// the whole of tensor/devtest, with and without captured graphs. What stays
// untested without a GPU: that the machine code does what the C++ says; the
// driver's own behaviour in captures, in programmatic dependent launch, out of
// memory and after faults; races that fibers of one warp after the other don't
// meet; and every speed.
package cuda
