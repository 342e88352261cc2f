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
// page-locked memory. All sums are in float32 with a fixed order. In F32 bits depend on
// neither batch nor GPU load; in the half precisions the kernel that suits a size best
// is chosen, so bits may depend on the batch, within the precision's tolerance.
//
// Tests run the same sources on the CPU (emu: a stand-in libcuda.so.1) through the whole
// of tensor/devtest, with and without captured graphs, for GPUs before Hopper and for
// Hopper. CUDA_TEST_DRIVER=libcuda.so.1 runs them on a GPU. What stays untested without
// one: that the machine code does what the C++ says; the driver's own behaviour in
// captures, in programmatic dependent launch, out of memory and after faults; races that
// the emulation's orders of threads don't meet; and every speed.
package cuda
