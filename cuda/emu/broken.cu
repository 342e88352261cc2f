// Kernels with the faults that the emulation must find.
#include "../src/dev.h"

// Each thread reads another's value with no barrier between: the next one's, or
// that of the thread before.
KERNEL(256) broken_next(float *y) {
  __shared__ float v[256];
  v[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = v[(threadIdx.x + 1) % 256];
}
KERNEL(256) broken_before(float *y) {
  __shared__ float v[256];
  v[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = v[(threadIdx.x + 255) % 256];
}

// The last threads miss a barrier that the others wait at.
KERNEL(256) broken_barrier(float *y) {
  if (threadIdx.x < 200) {
    y[threadIdx.x] = 0;
    __syncthreads();
    y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  } else {
    for (int i = 0; i < 2; i++) __syncthreads();
  }
}

// Shared memory is read that nothing wrote.
KERNEL(256) broken_unwritten(float *y) {
  __shared__ float v[256];
  if (threadIdx.x & 1) v[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = v[threadIdx.x];
}

// More is written than there is; AddressSanitizer ends the process.
KERNEL(256) broken_bounds(float *y, int n) { y[n + threadIdx.x] = 1; }
