// Norms over rows and over groups of channels. y may be x for rows.
#include "dev.h"

// y = (x - mean)/√(variance + eps)·w + b. Grid: M/8 or M.
template <int T> DEV void layer_norm(Out y, In x, const float *w, const float *b, int M, int C, float eps) {
  grid_wait();
  int row = row_of(T), t = threadIdx.x % T;
  if (row >= M) return;
  x = x + (size_t)row * C, y = y + (size_t)row * C;
  float s = 0, q = 0;
  for (int c = t; c < C; c += T) s += x[c];
  float mean = over<T>(sum_of(), s) / C;
  for (int c = t; c < C; c += T) q = fmaf(x[c] - mean, x[c] - mean, q);
  float inv = 1 / sqrtf(over<T>(sum_of(), q) / C + eps);
  for (int c = t; c < C; c += T) y.put(c, fmaf((x[c] - mean) * inv, w[c], b[c]));
}
KERNEL(256) layer_norm_32(Out y, In x, const float *w, const float *b, int M, int C, float eps) { layer_norm<32>(y, x, w, b, M, C, eps); }
KERNEL(256) layer_norm_256(Out y, In x, const float *w, const float *b, int M, int C, float eps) { layer_norm<256>(y, x, w, b, M, C, eps); }

// y = x/max(|x|, 1e-12). Grid: M/8 or M.
template <int T> DEV void l2_norm(Out y, In x, int M, int C) {
  grid_wait();
  int row = row_of(T), t = threadIdx.x % T;
  if (row >= M) return;
  x = x + (size_t)row * C, y = y + (size_t)row * C;
  float q = 0;
  for (int c = t; c < C; c += T) q = fmaf(x[c], x[c], q);
  float length = max_of()(sqrtf(over<T>(sum_of(), q)), 1e-12f);
  for (int c = t; c < C; c += T) y.put(c, x[c] / length);
}
KERNEL(256) l2_norm_32(Out y, In x, int M, int C) { l2_norm<32>(y, x, M, C); }
KERNEL(256) l2_norm_256(Out y, In x, int M, int C) { l2_norm<256>(y, x, M, C); }

// Long sums: chains of 64, so that a thread's error doesn't grow with the picture.
struct LongSum {
  float chain, sum;
  int n;
  DEV_M void add(float v) {
    chain += v;
    if (++n == 64) sum += chain, chain = 0, n = 0;
  }
  DEV_M float all() const { return sum + chain; }
};

// moments gives the mean and 1/√(variance + eps) of group g of picture n of x
// [N,HW,C].
DEV void moments(In x, int HW, int C, int per, float eps, float *mean, float *inv) {
  int count = HW * per;
  LongSum s = {0, 0, 0}, q = {0, 0, 0};
  for (int i = threadIdx.x; i < count; i += 256) s.add(x[(size_t)(i / per) * C + i % per]);
  *mean = over<256>(sum_of(), s.all()) / count;
  for (int i = threadIdx.x; i < count; i += 256) {
    float d = x[(size_t)(i / per) * C + i % per] - *mean;
    q.add(d * d);
  }
  *inv = 1 / sqrtf(over<256>(sum_of(), q.all()) / count + eps);
}

// y = act(normalised x·w + b). A block has a group. Grid: groups, N.
KERNEL(256) group_norm(Out y, In x, const float *w, const float *b, int HW, int C, float eps, int act) {
  grid_wait();
  int per = C / gridDim.x, c0 = blockIdx.x * per;
  x = x + ((size_t)blockIdx.y * HW * C + c0), y = y + ((size_t)blockIdx.y * HW * C + c0);
  float mean, inv;
  moments(x, HW, C, per, eps, &mean, &inv);
  for (int i = threadIdx.x; i < HW * per; i += 256) {
    size_t at = (size_t)(i / per) * C + i % per;
    y.put(at, activate(fmaf((x[at] - mean) * inv, w[c0 + i % per], b[c0 + i % per]), act));
  }
}

// stats[2,N,C]: x·stats[0] + stats[1] is x normalised. Grid: groups, N.
KERNEL(256) group_norm_stats(float *stats, In x, const float *w, const float *b, int HW, int C, float eps) {
  grid_wait();
  int per = C / gridDim.x, c0 = blockIdx.x * per;
  float mean, inv;
  moments(x + ((size_t)blockIdx.y * HW * C + c0), HW, C, per, eps, &mean, &inv);
  for (int c = threadIdx.x; c < per; c += 256) {
    size_t at = (size_t)blockIdx.y * C + c0 + c;
    stats[at] = inv * w[c0 + c];
    stats[(size_t)gridDim.y * C + at] = fmaf(-mean, inv * w[c0 + c], b[c0 + c]);
  }
}
