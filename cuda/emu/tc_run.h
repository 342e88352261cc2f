// What the stand-in driver needs of the tensor-core kernels' emulator, which is a
// library of its own: the other one fills its thread-local memory with NaNs.
#pragma once
#include <stdint.h>
#define TC_API __attribute__((visibility("default")))
// A kernel: a call by the addresses of its arguments, and their sizes.
struct tcemu_entry { void (*call)(void *const *); const int *sizes; int count; };
typedef const tcemu_entry *tcemu_kernel;
TC_API tcemu_kernel tcemu_find(const char *name); // null for none
// tcemu_run runs all blocks of a launch (grid, block, shared bytes) and returns a
// CUresult.
TC_API int tcemu_run(tcemu_kernel k, const unsigned *dims, void *const *params);
// tcemu_tensor_map is cuTensorMapEncodeTiled for what the kernels use: halves of two to
// four dimensions, strides in bytes, 128-byte swizzle. out has 128 bytes.
TC_API void tcemu_tensor_map(void *out, const void *p, int rank, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *step);
