// Normalisation of halves at the speed of memory, sm_80 and up. Statistics are f32,
// merged from (mean, sum of squared differences) pairs in a fixed order, so bits
// depend on the sizes and the number of slices, never on timing or the batch.
// Source of the merge: Chan, Golub, LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances", 1979.
#include "tc_tile.h"

// LayerNorm: out = (x-mean)/√(variance+eps)·w + b for each of M rows of C, a multiple
// of 8; w and b f32. Launch: grid ceil(M·lanes/256), block 256, no shared memory. lanes
// is the smallest power of two, 32 at most, with C <= 40·lanes: so many lanes have a
// row, and keep 5 chunks of 8 each in registers: 320, 640 and 1280 are 5 whole chunks a
// lane, all under way at once. Rows beyond 1280 are read three times.
struct LayerNormArgs {
  void *out;
  const void *x;
  const float *w, *b;
  int M, C;
  float eps;
  int pad;
};
DEV float lanes_sum(float v, int lanes) {
  for (int o = lanes >> 1; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
  return v;
}
template <bool BF> DEV void layernorm(const LayerNormArgs &g) {
  constexpr int R = 5;
  pdl_launch();
  int CC = g.C >> 3, lanes = 1;
  while (lanes < 32 && CC > R * lanes) lanes *= 2;
  size_t m = ((size_t)blockIdx.x * 256 + threadIdx.x) / lanes;
  int lane = threadIdx.x & (lanes - 1), end = m < (size_t)g.M ? CC : 0; // a row too many has no chunks
  pdl_wait();
  const uint16_t *x = (const uint16_t *)g.x + m * g.C;
  uint16_t *out = (uint16_t *)g.out + m * g.C;
  auto write = [&](int c, const float *v, float mean, float rstd) {
    float y[8];
    float4 w0 = ldg128f(g.w + c * 8), w1 = ldg128f(g.w + c * 8 + 4), b0 = ldg128f(g.b + c * 8), b1 = ldg128f(g.b + c * 8 + 4);
    float w[8] = {w0.x, w0.y, w0.z, w0.w, w1.x, w1.y, w1.z, w1.w}, b[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
    for (int i = 0; i < 8; i++) y[i] = (v[i] - mean) * rstd * w[i] + b[i];
    stg128(out + c * 8, pack8<BF>(y));
  };
  float s = 0, ss = 0;
  if (CC <= R * lanes) {
    uint4 u[R]; // halves take half the registers
    float v[8];
#pragma unroll
    for (int k = 0; k < R; k++) u[k] = k * lanes + lane < end ? ldg128(x + (k * lanes + lane) * 8) : make_uint4(0, 0, 0, 0);
#pragma unroll
    for (int k = 0; k < R; k++) {
      unpack8<BF>(v, u[k]);
#pragma unroll
      for (int i = 0; i < 8; i++) s += v[i];
    }
    float mean = lanes_sum(s, lanes) / g.C;
#pragma unroll
    for (int k = 0; k < R; k++)
      if (k * lanes + lane < end) {
        unpack8<BF>(v, u[k]);
#pragma unroll
        for (int i = 0; i < 8; i++) ss += (v[i] - mean) * (v[i] - mean);
      }
    float rstd = rsqrtf(lanes_sum(ss, lanes) / g.C + g.eps);
#pragma unroll
    for (int k = 0; k < R; k++)
      if (k * lanes + lane < end) {
        unpack8<BF>(v, u[k]);
        write(k * lanes + lane, v, mean, rstd);
      }
    return;
  }
  float v[8];
  for (int c = lane; c < end; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
#pragma unroll
    for (int i = 0; i < 8; i++) s += v[i];
  }
  float mean = lanes_sum(s, 32) / g.C;
  for (int c = lane; c < end; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
#pragma unroll
    for (int i = 0; i < 8; i++) ss += (v[i] - mean) * (v[i] - mean);
  }
  float rstd = rsqrtf(lanes_sum(ss, 32) / g.C + g.eps);
  for (int c = lane; c < end; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
    write(c, v, mean, rstd);
  }
}

// GroupNorm of x [N,HW,C1] and, beside it, x2 [N,HW,C2]: C = C1+C2 channels in groups
// of C/groups. Two launches: parts leaves each group's moments, slice by slice of the
// pixels; then apply merges them and writes out = act((x-mean)/√(variance+eps)·w + b)
// [N,HW,C].
//
// Launch: block 256, and blocks take tiles of C/tiles channels, whole groups:
//   parts: grid (tiles, slices, N), 16512 bytes of dynamic shared memory
//   apply: grid (tiles, cuts, N),   8·groups/tiles bytes
// part holds N·groups·slices float2. C1, C2 and C/tiles are multiples of 8, C/tiles <=
// 2048, groups a multiple of tiles, groups/tiles <= 256, slices and cuts >= 1; pointers
// to halves, w and b are aligned to 16 bytes. out may be x if C2 is 0.
//
// What to take, from HW, C and groups alone, so that a picture's bits don't depend on its batch:
//   tiles:  the largest power of two of which groups and C/16 are multiples, with
//           C/tiles >= 32; 1 if there is none. So tiles share no sector of 32 bytes.
//   slices: ceil(HW / (4·rows)), rows = 256 / (C/8/tiles), at most 512/tiles and 128, at
//           least 1: a thread's pixels are one batch of loads under way together, until
//           a picture has four blocks an SM; a merge is four parts a lane at most.
//   cuts:   as slices; they don't touch the bits.
struct GroupNormArgs {
  void *out;          // of apply
  const void *x, *x2; // x2 null if C2 is 0
  const float *w, *b; // [C], of apply
  float2 *part;       // [N][groups][slices]: mean and sum of squared differences
  int HW, C1, C2, groups, slices, act; // act: of apply
  float eps;
  int pad;
};
// Moments are the number, mean and sum of squared differences of some values.
struct Moments {
  float n, mean, m2;
  DEV_M void add(float bn, float bmean, float bm2) {
    if (bn == 0.0f) return;
    float t = n + bn, d = bmean - mean, f = bn * rcp_fast(t);
    mean += d * f, m2 += bm2 + d * d * n * f, n = t;
  }
  // fold merges those of so many neighbouring lanes; the first gets the result.
  DEV_M void fold(int lanes) {
    for (int o = lanes >> 1; o; o >>= 1) {
      float bn = __shfl_xor_sync(~0u, n, o), bmean = __shfl_xor_sync(~0u, mean, o), bm2 = __shfl_xor_sync(~0u, m2, o);
      add(bn, bmean, bm2);
    }
  }
};
// Share is what a block and this thread of it work on: a thread has 8 channels from c
// on and every rows-th pixel of the block's; lanes neighbours merge moments of a group.
struct Share {
  int C, per, groups, g0, c0; // channels of a pixel, of a group; groups of the tile, its first group and channel
  int wide, rows, row, c, n;  // chunks of 8 channels, pixels at a time, this thread's row, channel of the tile, number of pixels
  int p0, each, more;         // the block's first pixel; a row has each pixels, the first more rows one more
  int lanes, lane, group;     // of the merge
  DEV_M Share(const GroupNormArgs &g, int cuts, int k) {
    int t = threadIdx.x;
    C = g.C1 + g.C2, per = C / g.groups, groups = g.groups / (int)gridDim.x, g0 = groups * blockIdx.x, c0 = g0 * per;
    wide = groups * per >> 3, rows = 256 / wide, row = t / wide, c = (t - row * wide) * 8;
    int q = g.HW / cuts, left = g.HW - q * cuts, pixels = q + (k < left); // the first left shares have one more
    p0 = k * q + min(k, left);
    each = pixels / rows, more = pixels - each * rows;
    n = row < rows ? count(row) : 0;
    lanes = 32;
    while (lanes * groups > 256) lanes >>= 1;
    group = t / lanes, lane = t & (lanes - 1);
  }
  DEV_M int count(int r) const { return each + (r < more); }
};
// Source reads the thread's pixels, four at a time; left of them are still to come.
struct Source {
  const uint16_t *x;
  uint32_t step;
  DEV_M Source(const GroupNormArgs &g, const Share &s) {
    int c = s.c0 + s.c;
    bool second = c >= g.C1;
    int cs = second ? g.C2 : g.C1;
    x = (const uint16_t *)(second ? g.x2 : g.x) + ((size_t)blockIdx.z * g.HW + s.p0 + s.row) * cs + c - (second ? g.C1 : 0);
    step = s.rows * cs;
  }
  DEV_M void load(uint4 *u, int left) {
#pragma unroll
    for (int k = 0; k < 4; k++, x += step) u[k] = k < left ? ldg128(x) : make_uint4(0, 0, 0, 0);
  }
};
template <bool BF> DEV void groupnorm_parts(const GroupNormArgs &g) {
  constexpr int LD = 258; // 16 channels side by side lie in different banks
  TC_SMEM(smem);
  float2 *sh = (float2 *)smem;
  pdl_launch();
  Share s(g, gridDim.y, blockIdx.y);
  Source x(g, s);
  pdl_wait();
  float sum[8] = {}, sq[8] = {}, first[8];
  uint4 u[4];
  x.load(u, s.n);
  unpack8<BF>(first, u[0]);
  for (int left = s.n;;) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
      if (k >= left) break;
      float v[8];
      unpack8<BF>(v, u[k]);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        float d = v[i] - first[i]; // close to 0: squares lose nothing
        sum[i] += d, sq[i] += d * d;
      }
    }
    left -= 4;
    if (left <= 0) break;
    x.load(u, left);
  }
  float r = s.n ? rcp_fast(s.n) : 0.0f;
#pragma unroll
  for (int i = 0; i < 8; i++) sh[i * LD + threadIdx.x] = make_float2(first[i] + sum[i] * r, sq[i] - sum[i] * sum[i] * r);
  __syncthreads();
  Moments a = {};
  if (s.group < s.groups)
    for (int row = 0, k = s.lane;; k += s.lanes) { // channel k of the group
      while (k >= s.per) k -= s.per, row++;
      if (row >= s.rows) break;
      int c = s.group * s.per + k;
      float2 m = sh[(c & 7) * LD + row * s.wide + (c >> 3)];
      a.add(s.count(row), m.x, m.y);
    }
  a.fold(s.lanes);
  if (s.group < s.groups && s.lane == 0)
    g.part[((size_t)blockIdx.z * g.groups + s.g0 + s.group) * g.slices + blockIdx.y] = make_float2(a.mean, a.m2);
}
// groupnorm_merge leaves mean and 1/√(variance+eps) of the tile's groups in sh.
DEV void groupnorm_merge(const GroupNormArgs &g, const Share &s, float2 *sh) {
  Moments a = {};
  const float2 *p = g.part + ((size_t)blockIdx.z * g.groups + s.g0 + s.group) * g.slices;
  int each = g.HW / g.slices, more = g.HW - each * g.slices; // the first slices have one more pixel
  if (s.group < s.groups)
    for (int k = s.lane; k < g.slices; k += 4 * s.lanes) {
      float2 m[4];
#pragma unroll
      for (int i = 0; i < 4; i++) m[i] = k + i * s.lanes < g.slices ? ldcg64f(p + k + i * s.lanes) : make_float2(0, 0);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int at = k + i * s.lanes;
        if (at < g.slices) a.add((float)(each + (at < more)) * s.per, m[i].x, m[i].y);
      }
    }
  a.fold(s.lanes);
  if (s.group < s.groups && s.lane == 0) sh[s.group] = make_float2(a.mean, rsqrtf(a.m2 * rcp_fast(a.n) + g.eps));
  __syncthreads();
}
template <bool BF> DEV void groupnorm_apply(const GroupNormArgs &g) {
  TC_SMEM(smem);
  float2 *sh = (float2 *)smem;
  pdl_launch();
  Share s(g, gridDim.y, blockIdx.y);
  Source x(g, s);
  const float *w = g.w + s.c0 + s.c, *b = g.b + s.c0 + s.c;
  float4 w0 = ldg128f(w), w1 = ldg128f(w + 4), b0 = ldg128f(b), b1 = ldg128f(b + 4);
  float sc[8] = {w0.x, w0.y, w0.z, w0.w, w1.x, w1.y, w1.z, w1.w}, sf[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
  pdl_wait();
  uint4 u[4];
  x.load(u, s.n); // under way while the parts are merged
  groupnorm_merge(g, s, sh);
  int group = s.c / s.per, k = s.c - group * s.per;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    float2 m = sh[group];
    sc[i] *= m.y, sf[i] -= m.x * sc[i];
    if (++k == s.per) k = 0, group++;
  }
  uint16_t *out = (uint16_t *)g.out + ((size_t)blockIdx.z * g.HW + s.p0 + s.row) * s.C + s.c0 + s.c;
  uint32_t step = s.rows * s.C;
  for (int left = s.n;;) {
    int end = min(4, left);
#pragma unroll 1 // or the code of the activations would be there 32 times
    for (int k = 0; k < end; k++, out += step) {
      float v[8];
      unpack8<BF>(v, u[0]);
      u[0] = u[1], u[1] = u[2], u[2] = u[3]; // registers have no run-time index
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = v[i] * sc[i] + sf[i];
      if (g.act == ACT_SILU) { // the eight side by side
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = tc_gate(v[i], 1.0f);
      } else if (g.act) {
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = tc_act(g.act, v[i]);
      }
      stg128(out, pack8<BF>(v));
    }
    left -= 4;
    if (left <= 0) return;
    x.load(u, left);
  }
}

static_assert(sizeof(LayerNormArgs) == 48 && sizeof(GroupNormArgs) == 80, "the host's layout");

#define NORM(name, fn, args, per_sm) \
  extern "C" __global__ void __launch_bounds__(256, per_sm) name(const __grid_constant__ args g) { fn(g); } \
  TC_KERNEL(name)
NORM(tc_layernorm_f16, layernorm<false>, LayerNormArgs, 4)
NORM(tc_layernorm_bf16, layernorm<true>, LayerNormArgs, 4)
NORM(tc_groupnorm_parts_f16, groupnorm_parts<false>, GroupNormArgs, 4)
NORM(tc_groupnorm_parts_bf16, groupnorm_parts<true>, GroupNormArgs, 4)
NORM(tc_groupnorm_apply_f16, groupnorm_apply<false>, GroupNormArgs, 3)
NORM(tc_groupnorm_apply_bf16, groupnorm_apply<true>, GroupNormArgs, 3)
