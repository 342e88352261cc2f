// Checks of numbers that the data holds, for kernels that don't check themselves.
#include "dev.h"

// The number v must lie in [low,high].
KERNEL(256) within(const int *v, fault_t *faults, int low, int high, int slot) {
  grid_wait();
  if (threadIdx.x == 0 && (v[0] < low || v[0] > high)) report(faults, slot, 0, v[0]);
}
