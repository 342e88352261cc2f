// Attention of one query, a decoder's step: heads of up to 256 columns in whole 16-byte
// words, sm_80 and up. Reading keys and values is the work; sums are f32 on the plain
// units.
//
// Launch: grid (H, B), block 128, dynamic shared memory 16·4·(64·C + 4) bytes; C = 1 to 4,
// 64·C the least that holds D. AttnArgs and what the result is: as in tc_attn.cu, LQ = 1;
// strideO isn't read, heads of the result follow one another.
//
// Eight lanes have a key, 16 bytes at a time, so a block has 16 keys under way, and the
// softmax runs along as keys come. The 16 parts are then added in order: the sum's order is
// fixed by D and the keys alone.
#include "tc_attn.h"

template <bool BF, int C> struct OneAttn {
  static constexpr int PARTS = 16, PITCH = 64 * C + 4; // floats of a part: columns, maximum, sum

  static DEV_M void run(const AttnArgs &g, int D) {
    TC_SMEM(smem);
    smem_t s0 = smem_addr(smem);
    int t = threadIdx.x, lane = t & 7, part = t >> 3, h = blockIdx.x, b = blockIdx.y;
    pdl_launch();
    pdl_wait();
    Keys keys(g, b, 1);
    const uint16_t *Q = (const uint16_t *)g.q + (size_t)b * g.strideQ + g.offQ + h * D;
    const uint16_t *K = (const uint16_t *)g.k + (size_t)b * g.LK * g.strideK + g.offK + h * D;
    const uint16_t *V = (const uint16_t *)g.v + (size_t)b * g.LK * g.strideV + g.offV + h * D;
    auto load = [&](const uint16_t *p, int c) { return (c * 8 + lane) * 8 < D ? ldg128(p + (c * 8 + lane) * 8) : make_uint4(0, 0, 0, 0); };
    float q[C][8], o[C][8] = {}, top = -INFINITY, sum = 0, sl = g.scale * 1.44269504f;
#pragma unroll
    for (int c = 0; c < C; c++) unpack8<BF>(q[c], load(Q, c));
    for (int j0 = 0; j0 < keys.end; j0 += PARTS) { // whole warps, for the shuffles
      int j = j0 + part;
      bool there = j < keys.end && keys.there(j);
      uint4 k[C], v[C];
#pragma unroll
      for (int c = 0; c < C; c++) {
        k[c] = there ? load(K + (size_t)j * g.strideK, c) : make_uint4(0, 0, 0, 0);
        v[c] = there ? load(V + (size_t)j * g.strideV, c) : make_uint4(0, 0, 0, 0);
      }
      float s = 0, x[8];
#pragma unroll
      for (int c = 0; c < C; c++) {
        unpack8<BF>(x, k[c]);
#pragma unroll
        for (int i = 0; i < 8; i++) s = fmaf(q[c][i], x[i], s);
      }
#pragma unroll
      for (int m = 1; m < 8; m *= 2) s += __shfl_xor_sync(~0u, s, m);
      if (!there) continue;
      float m = fmaxf(top, s), base = m == -INFINITY ? 0.0f : m, fade = exp2f_fast((top - base) * sl), p = exp2f_fast((s - base) * sl);
      top = m, sum = fmaf(sum, fade, p);
#pragma unroll
      for (int c = 0; c < C; c++) {
        unpack8<BF>(x, v[c]);
#pragma unroll
        for (int i = 0; i < 8; i++) o[c][i] = fmaf(o[c][i], fade, p * x[i]);
      }
    }
    smem_t mine = s0 + part * PITCH * 4;
#pragma unroll
    for (int c = 0; c < C; c++)
#pragma unroll
      for (int i = 0; i < 8; i += 2) sts64(mine + ((c * 8 + lane) * 8 + i) * 4, o[c][i], o[c][i + 1]);
    if (lane == 0) sts64(mine + 64 * C * 4, top, sum);
    __syncthreads();
    float best = -INFINITY, weight[PARTS], total = 0;
#pragma unroll
    for (int i = 0; i < PARTS; i++) best = fmaxf(best, lds32f(s0 + (i * PITCH + 64 * C) * 4));
    if (best == -INFINITY) best = 0;
#pragma unroll
    for (int i = 0; i < PARTS; i++) {
      weight[i] = exp2f_fast((lds32f(s0 + (i * PITCH + 64 * C) * 4) - best) * sl);
      total = fmaf(weight[i], lds32f(s0 + (i * PITCH + 64 * C + 1) * 4), total);
    }
    float inv = total == 0.0f ? 0.0f : 1.0f / total;
    uint16_t *out = (uint16_t *)g.out + ((size_t)b * gridDim.x + h) * D;
    for (int d = t; d < D; d += 128) {
      float v = 0;
#pragma unroll
      for (int i = 0; i < PARTS; i++) v = fmaf(weight[i], lds32f(s0 + (i * PITCH + d) * 4), v);
      out[d] = (uint16_t)pack2<BF>(v * inv, 0);
    }
  }
};

#define ATTN_ONE(name, bf, c) \
  extern "C" __global__ void __launch_bounds__(128) name(const __grid_constant__ AttnArgs g, int D) { OneAttn<bf, c>::run(g, D); } \
  TC_KERNEL(name)
ATTN_ONE(tc_attn_one_f16_64, false, 1)
ATTN_ONE(tc_attn_one_bf16_64, true, 1)
ATTN_ONE(tc_attn_one_f16_128, false, 2)
ATTN_ONE(tc_attn_one_bf16_128, true, 2)
ATTN_ONE(tc_attn_one_f16_192, false, 3)
ATTN_ONE(tc_attn_one_bf16_192, true, 3)
ATTN_ONE(tc_attn_one_f16_256, false, 4)
ATTN_ONE(tc_attn_one_bf16_256, true, 4)
