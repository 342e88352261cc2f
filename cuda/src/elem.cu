// Element by element; a thread makes one value. y may be x.
#include "dev.h"

KERNEL(256) unary(Out y, In x, float scale, int act, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y.put(i, activate(scale == 1 ? x[i] : x[i] * scale, act));
}

// y = x op z over parts of M·N elements of x, which N elements of z serve.
KERNEL(256) add(Out y, In x, In z, int M, int N, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y.put(i, x[i] + z[(size_t)(i / N / M) * N + i % N]);
}
KERNEL(256) mul(Out y, In x, In z, int M, int N, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y.put(i, x[i] * z[(size_t)(i / N / M) * N + i % N]);
}

// y[M,C] = x[M,:C]·gelu(x[M,C:]).
KERNEL(256) geglu(Out y, In x, int C, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  In p = x + ((size_t)(i / C) * 2 * C + i % C);
  y.put(i, p[0] * activate(p[C], 3));
}
