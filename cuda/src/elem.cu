// Element by element; a thread makes one value. y may be x.
#include "dev.h"

KERNEL(256) unary(float *y, const float *x, float scale, int act, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y[i] = activate(scale == 1 ? x[i] : x[i] * scale, act);
}

// y = x op z over parts of M·N elements of x, which N elements of z serve.
KERNEL(256) add(float *y, const float *x, const float *z, int M, int N, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y[i] = x[i] + z[(size_t)(i / N / M) * N + i % N];
}
KERNEL(256) mul(float *y, const float *x, const float *z, int M, int N, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y[i] = x[i] * z[(size_t)(i / N / M) * N + i % N];
}

// y[M,C] = x[M,:C]·gelu(x[M,C:]).
KERNEL(256) geglu(float *y, const float *x, int C, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  const float *p = x + (size_t)(i / C) * 2 * C + i % C;
  y[i] = p[0] * activate(p[C], 3);
}
