// Normalisation of halves at the speed of memory, sm_80 and up. Statistics are f32,
// merged from (mean, sum of squared differences) pairs in a fixed order, so bits
// depend on the sizes and the number of slices, never on timing.
// Source of the merge: Chan, Golub, LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances", 1979.
#include "tc_tile.h"

// LayerNorm: out = (x-mean)/√(variance+eps)·w + b for each of M rows of C, a multiple
// of 8; w and b f32. Launch: grid ceil(M/8), block 256, no shared memory: a warp a row.
// Rows to 1280 stay in registers between the passes (5 chunks of 8 a lane, 64
// registers: 32 warps an SM); longer ones are read three times.
struct LayerNormArgs {
  void *out;
  const void *x;
  const float *w, *b;
  int M, C;
  float eps;
  int pad;
};
DEV float warp_sum(float v) {
#pragma unroll
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
  return v;
}
template <bool BF> DEV void layernorm(const LayerNormArgs &g) {
  constexpr int R = 5;
  int lane = threadIdx.x & 31, m = blockIdx.x * 8 + (threadIdx.x >> 5), CC = g.C >> 3;
  pdl_launch();
  pdl_wait();
  if (m >= g.M) return;
  const uint16_t *x = (const uint16_t *)g.x + (size_t)m * g.C;
  uint16_t *out = (uint16_t *)g.out + (size_t)m * g.C;
  auto write = [&](int c, const float *v, float mean, float rstd) {
    float y[8];
    float4 w0 = ldg128f(g.w + c * 8), w1 = ldg128f(g.w + c * 8 + 4), b0 = ldg128f(g.b + c * 8), b1 = ldg128f(g.b + c * 8 + 4);
    float w[8] = {w0.x, w0.y, w0.z, w0.w, w1.x, w1.y, w1.z, w1.w}, b[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
    for (int i = 0; i < 8; i++) y[i] = (v[i] - mean) * rstd * w[i] + b[i];
    stg128(out + c * 8, pack8<BF>(y));
  };
  float s = 0, ss = 0;
  if (CC <= 32 * R) {
    float v[R][8];
#pragma unroll
    for (int k = 0; k < R; k++) {
      int c = k * 32 + lane;
      unpack8<BF>(v[k], c < CC ? ldg128(x + c * 8) : make_uint4(0, 0, 0, 0));
    }
#pragma unroll
    for (int k = 0; k < R; k++)
#pragma unroll
      for (int i = 0; i < 8; i++) s += v[k][i];
    float mean = warp_sum(s) / g.C;
#pragma unroll
    for (int k = 0; k < R; k++)
      if (k * 32 + lane < CC) {
#pragma unroll
        for (int i = 0; i < 8; i++) ss += (v[k][i] - mean) * (v[k][i] - mean);
      }
    float rstd = rsqrtf(warp_sum(ss) / g.C + g.eps);
#pragma unroll
    for (int k = 0; k < R; k++)
      if (k * 32 + lane < CC) write(k * 32 + lane, v[k], mean, rstd);
    return;
  }
  float v[8];
  for (int c = lane; c < CC; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
#pragma unroll
    for (int i = 0; i < 8; i++) s += v[i];
  }
  float mean = warp_sum(s) / g.C;
  for (int c = lane; c < CC; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
#pragma unroll
    for (int i = 0; i < 8; i++) ss += (v[i] - mean) * (v[i] - mean);
  }
  float rstd = rsqrtf(warp_sum(ss) / g.C + g.eps);
  for (int c = lane; c < CC; c += 32) {
    unpack8<BF>(v, ldg128(x + c * 8));
    write(c, v, mean, rstd);
  }
}

// GroupNorm statistics of x [N,HW,C1] and, beside it, x2 [N,HW,C2]: factors for which
// x·scale + shift is x normalised; scale and shift f32 [N,C], C = C1+C2, in groups of
// C/groups channels.
// Launch: grid (slices, N), block 256, dynamic shared memory max(16384, 8·C) + 8·groups
// bytes. part holds N·slices·C float2, count N zeros (left zero). C1 and C2 are
// multiples of 8, groups <= 256, slices <= HW. Each block reads HW/slices pixels once,
// 16 bytes a thread; the last block of a picture merges its slices. Enough slices
// fill the chip (two blocks an SM); more only lengthen the merge. Take them from HW
// and C alone and a picture's bits don't depend on its batch.
struct GroupNormArgs {
  float *scale, *shift;
  const void *x, *x2;
  const float *w, *b;
  float2 *part;
  unsigned *count;
  int HW, C1, C2, groups;
  float eps;
  int pad;
};
// Moments are the number, mean and sum of squared differences of some values.
struct Moments {
  float n, mean, m2;
  DEV_M void add(float bn, float bmean, float bm2) {
    if (bn == 0.0f) return;
    float t = n + bn, d = bmean - mean, f = bn / t;
    mean += d * f, m2 += bm2 + d * d * n * f, n = t;
  }
};
template <bool BF> DEV void groupnorm_stats(const GroupNormArgs &g) {
  TC_SMEM(smem);
  float2 *sh = (float2 *)smem;
  int C = g.C1 + g.C2, CC = C >> 3, t = threadIdx.x, n = blockIdx.y, slices = gridDim.x;
  int p0 = (int)((long long)g.HW * blockIdx.x / slices), p1 = (int)((long long)g.HW * (blockIdx.x + 1) / slices);
  int wide = min(CC, 256), rows = 256 / wide, row = t / wide;
  pdl_launch();
  pdl_wait();
  float2 *part = g.part + ((size_t)n * slices + blockIdx.x) * C;
  for (int c0 = 0; c0 < CC; c0 += wide) {
    int c = c0 + t % wide;
    bool on = row < rows && c < CC;
    float s[8] = {}, ss[8] = {}, first[8] = {};
    int have = 0;
    if (on) {
      bool second = c * 8 >= g.C1;
      int cs = second ? g.C2 : g.C1;
      const uint16_t *x = (const uint16_t *)(second ? g.x2 : g.x) + (size_t)n * g.HW * cs + c * 8 - (second ? g.C1 : 0);
      auto take = [&](uint4 u) {
        float v[8];
        unpack8<BF>(v, u);
#pragma unroll
        for (int i = 0; i < 8; i++) {
          float d = v[i] - first[i]; // close to 0: squares lose nothing
          s[i] += d, ss[i] += d * d;
        }
      };
      int p = p0 + row;
      if (p < p1) unpack8<BF>(first, ldg128(x + (size_t)p * cs));
      for (; p + 3 * rows < p1; p += 4 * rows, have += 4) { // four loads under way
        uint4 u[4];
#pragma unroll
        for (int k = 0; k < 4; k++) u[k] = ldg128(x + (size_t)(p + k * rows) * cs);
#pragma unroll
        for (int k = 0; k < 4; k++) take(u[k]);
      }
      for (; p < p1; p += rows, have++) take(ldg128(x + (size_t)p * cs));
    }
    if (rows > 1) __syncthreads();
#pragma unroll
    for (int i = 0; i < 8; i++) {
      float k = have ? s[i] / have : 0.0f;
      float2 m = make_float2(first[i] + k, ss[i] - s[i] * k);
      if (rows == 1) {
        if (on) part[c * 8 + i] = m;
      } else sh[i * 256 + t] = m;
    }
    if (rows > 1) { // then CC <= 128: one pass
      __syncthreads();
      for (int k = t; k < C; k += 256) {
        Moments a = {};
        for (int r = 0; r < rows; r++) {
          float2 m = sh[(k & 7) * 256 + r * wide + (k >> 3)];
          int left = p1 - p0 - r;
          a.add(left > 0 ? (left + rows - 1) / rows : 0, m.x, m.y);
        }
        part[k] = make_float2(a.mean, a.m2);
      }
    }
  }
  __threadfence();
  __syncthreads();
  unsigned *flag = (unsigned *)(smem + max(16384, 8 * C));
  if (t == 0) *flag = atomicAdd(g.count + n, 1u);
  __syncthreads();
  bool last = *flag == (unsigned)slices - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  if (t == 0) g.count[n] = 0;
  for (int c = t; c < C; c += 256) {
    Moments a = {};
    const float2 *p = g.part + (size_t)n * slices * C + c;
#pragma unroll 8
    for (int k = 0; k < slices; k++) {
      float2 m = ldcg64f(p + (size_t)k * C);
      a.add((float)((long long)g.HW * (k + 1) / slices - (long long)g.HW * k / slices), m.x, m.y);
    }
    sh[c] = make_float2(a.mean, a.m2);
  }
  __syncthreads();
  float2 *group = (float2 *)(smem + max(16384, 8 * C));
  int per = C / g.groups;
  if (t < g.groups) {
    Moments a = {};
    for (int k = 0; k < per; k++) a.add((float)g.HW, sh[t * per + k].x, sh[t * per + k].y);
    group[t] = make_float2(a.mean, rsqrtf(a.m2 / a.n + g.eps));
  }
  __syncthreads();
  for (int c = t; c < C; c += 256) {
    float2 m = group[c / per];
    float f = g.w[c] * m.y;
    g.scale[(size_t)n * C + c] = f;
    g.shift[(size_t)n * C + c] = g.b[c] - m.x * f;
  }
}

// out = act(x·scale + shift) over [N,HW,C], x and x2 as above: GroupNorm where no
// convolution follows. Launch: grid ceil(N·HW·C/8/256), block 256.
struct GroupNormApplyArgs {
  void *out;
  const void *x, *x2;
  const float *scale, *shift;
  int N, HW, C1, C2, act, pad;
};
template <bool BF> DEV void groupnorm_apply(const GroupNormApplyArgs &g) {
  int C = g.C1 + g.C2, CC = C >> 3;
  size_t i = (size_t)blockIdx.x * 256 + threadIdx.x, pixel = i / CC;
  pdl_launch();
  pdl_wait();
  if (pixel >= (size_t)g.N * g.HW) return;
  int c = (int)(i - pixel * CC) * 8;
  const uint16_t *x = c < g.C1 ? (const uint16_t *)g.x + pixel * g.C1 + c : (const uint16_t *)g.x2 + pixel * g.C2 + c - g.C1;
  const float *s = g.scale + pixel / g.HW * C + c, *f = g.shift + pixel / g.HW * C + c;
  float4 s0 = ldg128f(s), s1 = ldg128f(s + 4), f0 = ldg128f(f), f1 = ldg128f(f + 4);
  float sc[8] = {s0.x, s0.y, s0.z, s0.w, s1.x, s1.y, s1.z, s1.w}, sf[8] = {f0.x, f0.y, f0.z, f0.w, f1.x, f1.y, f1.z, f1.w}, v[8];
  unpack8<BF>(v, ldg128(x));
#pragma unroll
  for (int k = 0; k < 8; k++) v[k] = tc_act(g.act, v[k] * sc[k] + sf[k]);
  stg128((uint16_t *)g.out + i * 8, pack8<BF>(v));
}

static_assert(sizeof(LayerNormArgs) == 48 && sizeof(GroupNormArgs) == 88 && sizeof(GroupNormApplyArgs) == 64, "the host's layout");

#define NORM(name, fn, args, bf) \
  extern "C" __global__ void __launch_bounds__(256, 4) name(const __grid_constant__ args g) { fn<bf>(g); } \
  TC_KERNEL(name)
NORM(tc_layernorm_f16, layernorm, LayerNormArgs, false)
NORM(tc_layernorm_bf16, layernorm, LayerNormArgs, true)
NORM(tc_groupnorm_stats_f16, groupnorm_stats, GroupNormArgs, false)
NORM(tc_groupnorm_stats_bf16, groupnorm_stats, GroupNormArgs, true)
NORM(tc_groupnorm_apply_f16, groupnorm_apply, GroupNormApplyArgs, false)
NORM(tc_groupnorm_apply_bf16, groupnorm_apply, GroupNormApplyArgs, true)
