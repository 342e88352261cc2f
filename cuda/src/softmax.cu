// Softmax and its relatives over rows. y may be x.
#include "dev.h"

template <int T> DEV float largest(In x, int C, float scale) {
  float top = -INFINITY;
  for (int c = threadIdx.x % T; c < C; c += T) top = max_of()(x[c] * scale, top);
  return over<T>(max_of(), top);
}

template <int T> DEV float exponentials(In x, int C, float scale, float top) {
  float sum = 0;
  for (int c = threadIdx.x % T; c < C; c += T) sum += expf(x[c] * scale - top);
  return over<T>(sum_of(), sum);
}

// y = softmax(scale·x), or its logarithm. Grid: M/8 or M.
template <int T> DEV void softmax(Out y, In x, int M, int C, float scale, int log) {
  grid_wait();
  int row = row_of(T);
  if (row >= M) return;
  x = x + (size_t)row * C, y = y + (size_t)row * C;
  float top = largest<T>(x, C, scale), sum = exponentials<T>(x, C, scale, top), shift = logf(sum);
  for (int c = threadIdx.x % T; c < C; c += T) {
    float z = x[c] * scale - top;
    y.put(c, log ? z - shift : expf(z) / sum);
  }
}
KERNEL(256) softmax_32(Out y, In x, int M, int C, float scale, int log) { softmax<32>(y, x, M, C, scale, log); }
KERNEL(256) softmax_256(Out y, In x, int M, int C, float scale, int log) { softmax<256>(y, x, M, C, scale, log); }

// y[M,2] = the largest element and Σexp(x - it). Grid: M/8 or M.
template <int T> DEV void normalizer(Out y, In x, int M, int C) {
  grid_wait();
  int row = row_of(T);
  if (row >= M) return;
  x = x + (size_t)row * C;
  float top = largest<T>(x, C, 1), sum = exponentials<T>(x, C, 1, top);
  if (threadIdx.x % T == 0) y.put(2 * row, top), y.put(2 * row + 1, sum);
}
KERNEL(256) normalizer_32(Out y, In x, int M, int C) { normalizer<32>(y, x, M, C); }
KERNEL(256) normalizer_256(Out y, In x, int M, int C) { normalizer<256>(y, x, M, C); }

// y[M] = the index of the first of the largest elements; a NaN counts as larger
// than anything. Grid: M/8 or M.
template <int T> DEV void arg_max(int *y, In x, int M, int C) {
  grid_wait();
  int row = row_of(T);
  if (row >= M) return;
  x = x + (size_t)row * C;
  float top = largest<T>(x, C, 1);
  int first = C;
  for (int c = threadIdx.x % T; c < C && first == C; c += T)
    if (x[c] == top || x[c] != x[c]) first = c;
  for (int o = 16; o; o >>= 1) first = min(first, __shfl_xor_sync(0xffffffffu, first, o));
  __shared__ int part[8];
  if (T == 256) {
    if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = first;
    __syncthreads();
    for (int i = 0; i < 8; i++) first = min(first, part[i]);
  }
  if (threadIdx.x % T == 0) y[row] = first;
}
KERNEL(256) arg_max_32(int *y, In x, int M, int C) { arg_max<32>(y, x, M, C); }
KERNEL(256) arg_max_256(int *y, In x, int M, int C) { arg_max<256>(y, x, M, C); }
