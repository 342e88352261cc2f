// The GEMM of tc_gemm.cu for few rows of A, where reading W is the work: a decoder's
// step, a picture's 50 tokens.
//
// Launch: grid (ceil(N/16), ceil(M/T)), block 256, dynamic shared memory 640·T bytes; T =
// 8, 16, 32 or 64 rows of A a block. GemmArgs as there; no GEGLU or splits. K is a
// multiple of 8, rows of A and W are multiples of 16 bytes. With OUT_TOP parts are of 16
// columns.
//
// W's rows are mma's rows and A's its columns, so that one row of A wastes nothing that
// matters. A warp takes every eighth 32 of k, and the warps' sums are added in order, so
// the sum's order is fixed by K alone. Sums don't care about the order of k within a block
// of 32: lane q of a quad loads 8 successive k of a row, 16 bytes, and gives them to two
// mma as the k it would have, for W and A alike. Nothing goes through shared memory on its
// way in. The first AHEAD blocks of W come before the launches before this one end.
#include "tc_tile.h"

template <bool BF, int T> struct Few {
  static constexpr int NT = T / 8, AHEAD = 3, PITCH = 20; // floats of a row of 16 sums

  static DEV_M void run(const GemmArgs &g) {
    TC_SMEM(smem);
    smem_t s0 = smem_addr(smem);
    int t = threadIdx.x, lane = t & 31, w = t >> 5, q = lane & 3, r = lane >> 2, n0 = blockIdx.x * 16, m0 = blockIdx.y * T;
    const uint16_t *W[2], *A[NT];
#pragma unroll
    for (int i = 0; i < 2; i++) W[i] = (const uint16_t *)g.W + (size_t)min(n0 + r + i * 8, g.Nw - 1) * g.ldw;
#pragma unroll
    for (int i = 0; i < NT; i++) A[i] = (const uint16_t *)g.A + (size_t)min(m0 + i * 8 + r, g.M - 1) * g.lda;
    auto load = [&](const uint16_t *p, int k) { return k < g.K ? ldg128(p + k) : make_uint4(0, 0, 0, 0); };
    uint4 ahead[AHEAD][2];
    int k = w * 32 + q * 8;
    pdl_launch();
#pragma unroll
    for (int j = 0; j < AHEAD; j++) ahead[j][0] = load(W[0], k + j * 256), ahead[j][1] = load(W[1], k + j * 256);
    pdl_wait();
    float c[NT][4] = {};
    for (; k - q * 8 < g.K; k += AHEAD * 256)
#pragma unroll
      for (int j = 0; j < AHEAD; j++) {
        uint4 u = ahead[j][0], v = ahead[j][1], a[NT];
#pragma unroll
        for (int i = 0; i < NT; i++) a[i] = load(A[i], k + j * 256);
        ahead[j][0] = load(W[0], k + (j + AHEAD) * 256), ahead[j][1] = load(W[1], k + (j + AHEAD) * 256);
        uint32_t lo[4] = {u.x, v.x, u.y, v.y}, hi[4] = {u.z, v.z, u.w, v.w};
#pragma unroll
        for (int i = 0; i < NT; i++) mma<BF>(c[i], lo, a[i].x, a[i].y), mma<BF>(c[i], hi, a[i].z, a[i].w);
      }
#pragma unroll
    for (int i = 0; i < NT; i++)
#pragma unroll
      for (int e = 0; e < 4; e++) sts32(s0 + ((w * T + i * 8 + q * 2 + (e & 1)) * PITCH + r + (e >> 1) * 8) * 4, f32_bits(c[i][e]));
    __syncthreads();
    if (t < T * 4) finish(g.e, s0 + ((t >> 2) * PITCH + q * 4) * 4, m0 + (t >> 2), n0 + q * 4, g.M);
  }

  // finish makes four results of the warps' sums at s, columns n to n+3 of row m.
  static DEV_M void finish(const Epilogue &e, smem_t s, int m, int n, int M) {
    float v[4] = {};
#pragma unroll
    for (int w = 0; w < 8; w++) {
      float4 p = lds128f(s + w * T * PITCH * 4);
      v[0] += p.x, v[1] += p.y, v[2] += p.z, v[3] += p.w;
    }
    if (e.flags & OUT_TOP) {
      uint64_t best = 0;
#pragma unroll
      for (int i = 0; i < 4; i++) if (n + i < e.N) best = top_max(best, top_key(v[i] + (e.bias ? e.bias[n + i] : 0.0f), n + i));
      best = quad_top(best);
      if (!(n & 15) && m < M) ((uint64_t *)e.C)[(size_t)m * e.ldc + (n >> 4)] = best;
      return;
    }
    if (m >= M) return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (n + i >= e.N) break;
      v[i] = v[i] * e.alpha + (e.bias ? e.bias[n + i] : 0.0f);
      if (e.each) v[i] += unpack<BF>(((const uint16_t *)e.each)[(size_t)(m / e.each_rows) * e.N + n + i]);
      if (e.R) v[i] += unpack<BF>(((const uint16_t *)e.R)[(size_t)m * e.ldr + n + i]);
    }
    tc_acts<4>(e.act, v);
    size_t at = (size_t)m * e.ldc + n;
    bool wide = !((e.N | e.ldc) & 3);
    if (e.flags & OUT_F32) {
      float *c = (float *)e.C + at;
      if (wide && n < e.N) stg128f(c, make_float4(v[0], v[1], v[2], v[3]));
      else
        for (int i = 0; i < 4; i++) if (n + i < e.N) c[i] = v[i];
      return;
    }
    uint16_t *c = (uint16_t *)e.C + at;
    uint32_t lo = pack2<BF>(v[0], v[1]), hi = pack2<BF>(v[2], v[3]);
    if (wide && n < e.N) stg64f(c, make_float2(bits_f32(lo), bits_f32(hi)));
    else
      for (int i = 0; i < 4; i++) if (n + i < e.N) c[i] = (uint16_t)((i < 2 ? lo : hi) >> (i & 1) * 16);
  }
};

#define FEW(name, bf, rows) \
  extern "C" __global__ void __launch_bounds__(256) name(const __grid_constant__ GemmArgs g) { Few<bf, rows>::run(g); } \
  TC_KERNEL(name)
FEW(tc_few_f16_8, false, 8)
FEW(tc_few_bf16_8, true, 8)
FEW(tc_few_f16_16, false, 16)
FEW(tc_few_bf16_16, true, 16)
FEW(tc_few_f16_32, false, 32)
FEW(tc_few_bf16_32, true, 32)
FEW(tc_few_f16_64, false, 64)
FEW(tc_few_bf16_64, true, 64)
