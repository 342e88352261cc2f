// A diffusion solver's step and its check. See kernels/ref/multistep.go.
#include "dev.h"

// s is the sum of terms so far; a coefficient of 0 leaves its tensor out.
struct terms {
  double s;
  bool any;
  DEV_M void add(double a, double t) {
    if (a == 0) return;
    s = any ? s + a * t : a * t;
    any = true;
  }
};

// x [R,count], in [count], o [halves,count], z [count] or null; c holds g, b0, b1, limit,
// scale and the R rows of R+3.
enum { MAX_TENSORS = 8 };
KERNEL(256) multistep(float *x, float *in, In o, const float *z, const double *c, int R, int halves, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  float y = o[i];
  if (halves == 2) y = y + (float)c[0] * (o[(size_t)count + i] - y);
  terms e = {0, false};
  e.add(c[1], x[i]);
  e.add(c[2], y);
  if (e.s > c[3]) e.s = c[3];
  if (e.s < -c[3]) e.s = -c[3];
  float next[MAX_TENSORS];
  for (int r = 0; r < R; r++) {
    const double *a = c + 5 + r * (R + 3);
    terms t = {0, false};
    t.add(a[0], x[i]);
    t.add(a[1], y);
    t.add(a[2], e.s);
    for (int j = 1; j < R; j++)
      if (a[2 + j] != 0) t.add(a[2 + j], x[(size_t)j * count + i]);
    if (z && a[R + 2] != 0) t.add(a[R + 2], z[i]);
    next[r] = (float)t.s;
  }
  for (int r = 0; r < R; r++) x[(size_t)r * count + i] = next[r];
  in[i] = (float)(c[4] * (double)next[0]);
}

// work[block] = how many of x's 8192 elements from block's on aren't finite: as many
// floats are exact.
KERNEL(256) not_finite(int *work, In x, int count) {
  grid_wait();
  float n = 0;
  for (int k = 0; k < 32; k++) {
    int i = blockIdx.x * 8192 + k * 256 + threadIdx.x;
    if (i >= count) break;
    float v = x[i];
    if (v - v != 0) n++;
  }
  n = over<256>(sum_of(), n);
  if (threadIdx.x == 0) work[blockIdx.x] = (int)n;
}
// y[0] = the sum of work. Grid: 1.
KERNEL(256) not_finite_end(int *y, const int *work, int parts) {
  grid_wait();
  __shared__ int part[256];
  int n = 0;
  for (int i = threadIdx.x; i < parts; i += 256) n += work[i];
  part[threadIdx.x] = n;
  __syncthreads();
  if (threadIdx.x) return;
  for (int i = 1; i < 256; i++) n += part[i];
  y[0] = n;
}
