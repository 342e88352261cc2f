// The ends of products whose blocks each have a part of a result.
#include "tc_tile.h"

// tc_finish: of a product whose sums were split along K. Adds the splits in order, then
// does what an epilogue does.
//
// Launch: grid ceil(M·ceil(Nw/8)/256), block 256, no shared memory. part: [splits][M][Nw]
// f32, Nw columns before a GEGLU, a multiple of 4.
struct FinishArgs {
  Epilogue e;
  const float *part;
  int M, Nw, splits, pad;
};
static_assert(sizeof(FinishArgs) == 88, "the host's layout");

// finish_sum adds up 8 columns of all splits.
DEV void finish_sum(const FinishArgs &g, size_t at, int left, float *v) {
  const float *p = g.part + at;
  size_t step = (size_t)g.M * g.Nw;
#pragma unroll 4
  for (int s = 0; s < g.splits; s++, p += step) {
    float4 a = ldg128f(p), b = left > 4 ? ldg128f(p + 4) : make_float4(0, 0, 0, 0);
    v[0] += a.x, v[1] += a.y, v[2] += a.z, v[3] += a.w, v[4] += b.x, v[5] += b.y, v[6] += b.z, v[7] += b.w;
  }
}
template <bool BF> DEV void finish_add(const void *base, size_t at, int left, float *v) {
  const uint16_t *p = (const uint16_t *)base + at;
  if (left >= 8 && !(at & 7)) {
    float x[8];
    unpack8<BF>(x, ldg128(p));
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] += x[i];
  } else {
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < left) v[i] += unpack<BF>(p[i]);
  }
}
// finish_emit finishes 8 columns from n on of row m; gate are theirs before a GEGLU.
template <bool BF> DEV void finish_emit(const Epilogue &e, int m, int n, float *v, const float *gate) {
  int out = e.flags & OUT_GEGLU ? (n >> 5 << 4) + (n & 15) : n, left = e.N - out;
  if (left <= 0) return;
#pragma unroll
  for (int i = 0; i < 8; i++) v[i] = v[i] * e.alpha + (e.bias && (e.flags & OUT_GEGLU || i < left) ? e.bias[n + i] : 0.0f);
  if (e.flags & OUT_GEGLU) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] *= tc_gelu(gate[i] * e.alpha + (e.bias ? e.bias[n + 16 + i] : 0.0f));
  }
  if (e.each) finish_add<BF>(e.each, (size_t)(m / e.each_rows) * e.N + out, left, v);
  if (e.R) finish_add<BF>(e.R, (size_t)m * e.ldr + out, left, v);
  tc_acts<8>(e.act, v);
  size_t at = (size_t)m * e.ldc + out;
  bool wide = left >= 8 && !(at & 7);
  if (e.flags & OUT_F32) {
    float *c = (float *)e.C + at;
    if (wide) stg128f(c, make_float4(v[0], v[1], v[2], v[3])), stg128f(c + 4, make_float4(v[4], v[5], v[6], v[7]));
    else
      for (int i = 0; i < 8; i++) if (i < left) c[i] = v[i];
    return;
  }
  uint16_t *c = (uint16_t *)e.C + at;
  if (wide) stg128(c, pack8<BF>(v));
  else
    for (int i = 0; i < 8; i++) if (i < left) c[i] = (uint16_t)pack2<BF>(v[i], 0);
}
template <bool BF> DEV void finish(const FinishArgs &g) {
  int per = (g.Nw + 7) >> 3, i = blockIdx.x * 256 + threadIdx.x, m = i / per, n = (i - m * per) * 8;
  pdl_launch();
  pdl_wait();
  bool gated = g.e.flags & OUT_GEGLU;
  if (m >= g.M || (gated && n & 16)) return;
  float v[8] = {}, gate[8] = {};
  size_t at = (size_t)m * g.Nw + n;
  finish_sum(g, at, g.Nw - n, v);
  if (gated) finish_sum(g, at + 16, 8, gate);
  finish_emit<BF>(g.e, m, n, v, gate);
}
extern "C" __global__ void __launch_bounds__(256) tc_finish_f16(const __grid_constant__ FinishArgs g) { finish<false>(g); }
TC_KERNEL(tc_finish_f16)
extern "C" __global__ void __launch_bounds__(256) tc_finish_bf16(const __grid_constant__ FinishArgs g) { finish<true>(g); }
TC_KERNEL(tc_finish_bf16)

// tc_top: of an OUT_TOP. y[m] is the column of the largest of row m's keys.
//
// Launch: grid M, block 256, dynamic shared memory 64 bytes.
DEV void top(int *y, const uint64_t *keys, int parts) {
  TC_SMEM(smem);
  smem_t s = smem_addr(smem);
  int t = threadIdx.x;
  pdl_launch();
  pdl_wait();
  uint64_t best = 0;
  for (int i = t; i < parts; i += 256) best = top_max(best, keys[(size_t)blockIdx.x * parts + i]);
  for (int o = 16; o; o >>= 1) best = top_max(best, __shfl_xor_sync(~0u, best, o));
  if (!(t & 31)) sts64(s + (t >> 5) * 8, bits_f32((uint32_t)best), bits_f32((uint32_t)(best >> 32)));
  __syncthreads();
  if (t) return;
  for (int w = 0; w < 4; w++) {
    uint4 two = lds128(s + w * 16);
    best = top_max(best, top_max((uint64_t)two.y << 32 | two.x, (uint64_t)two.w << 32 | two.z));
  }
  y[blockIdx.x] = (int)~(uint32_t)best;
}
extern "C" __global__ void __launch_bounds__(256) tc_top(int *y, const uint64_t *keys, int parts) { top(y, keys, parts); }
TC_KERNEL(tc_top)
