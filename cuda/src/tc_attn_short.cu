// The attention of tc_attn.cu for at most 80 keys (77 of a text, 50 of a picture) and
// heads of 40, 64, 80 and 160, sm_80 and up: keys and values of a head stay in shared
// memory and queries run past them, softmax in one go.
//
// Launch: grid (X, H, B), X from 1 to ceil(LQ/64), block 128, dynamic shared memory
// 288·PITCH bytes:
//   D      40   64   80  160
//   PITCH 112  144  176  336
// Best is X so that all blocks run at once with as many queries each: with n = ceil(LQ/64)
// and P blocks an SM (4, 4, 4, 2), X = ceil(n / ceil(n·H·B / (SMs·P))). AttnArgs and what
// the result is: as in tc_attn.cu, LK <= 80.
//
// Warps work alone, on 16 queries at a time: while one tile is computed the next one's
// queries come. Results go through the place its queries had, so that both cross in
// accesses of 16 bytes. For 16 queries of D = 40 and 77 keys: 60 mma, 480 cycles of a
// quarter of an SM; 40 exponentials, 320; and 2.5 KB of memory.
#include "tc_attn.h"

template <bool BF, int D> struct ShortAttn {
  static constexpr int KD = (D + 15) / 16, CH = KD * 2, PITCH = (CH | 1) * 16, ND = D / 8, MOST = 5; // blocks of 16 keys

  static DEV_M void run(const AttnArgs &g) {
    TC_SMEM(smem);
    int t = threadIdx.x, lane = t & 31, w = t >> 5, h = blockIdx.y, b = blockIdx.z;
    smem_t sk = smem_addr(smem), sv = sk + MOST * 16 * PITCH, sq = sv + MOST * 16 * PITCH + w * 32 * PITCH;
    pdl_launch();
    pdl_wait();
    Keys keys(g, b, g.LQ);
    int blocks = (keys.end + 15) >> 4;
    const uint16_t *Q = (const uint16_t *)g.q + (size_t)b * g.LQ * g.strideQ + g.offQ + h * D;
    const uint16_t *K = (const uint16_t *)g.k + (size_t)b * g.LK * g.strideK + g.offK + h * D;
    const uint16_t *V = (const uint16_t *)g.v + (size_t)b * g.LK * g.strideV + g.offV + h * D;
    for (int c = t; c < blocks * 16 * CH; c += 128) {
      int r = c / CH, q = c % CH;
      bool k = q < ND && r < keys.used, v = k && keys.there(r); // NaN·0 is NaN: a key not there must be zero
      cp_async16(sk + r * PITCH + q * 16, k ? K + (size_t)r * g.strideK + q * 8 : K, k ? 16 : 0);
      cp_async16(sv + r * PITCH + q * 16, v ? V + (size_t)r * g.strideV + q * 8 : V, v ? 16 : 0);
    }
    cp_async_commit();
    int q0 = (blockIdx.x * 4 + w) * 16, next = gridDim.x * 64;
    load(g, Q, sq, q0);
    uint32_t there[3];
#pragma unroll
    for (int i = 0; i < 3; i++) there[i] = __ballot_sync(~0u, keys.there(i * 32 + lane));
    cp_async_wait<1>();
    __syncthreads();
    for (int buf = 0; q0 < g.LQ; q0 += next, buf ^= 1) {
      load(g, Q, sq + (buf ^ 1) * 16 * PITCH, q0 + next);
      cp_async_wait<1>();
      __syncwarp();
      tile(g, keys, there, sk, sv, sq + buf * 16 * PITCH, blocks, q0);
      __syncwarp();
      uint16_t *out = (uint16_t *)g.out + ((size_t)b * g.LQ + q0) * g.strideO + h * D;
#pragma unroll
      for (int i = 0; i < (16 * ND + 31) / 32; i++) {
        int c = i * 32 + lane, r = c / ND, q = c % ND;
        if (r < 16 && q0 + r < g.LQ) stg128(out + (size_t)r * g.strideO + q * 8, lds128(sq + (buf * 16 + r) * PITCH + q * 16));
      }
      __syncwarp();
    }
    cp_async_wait<0>();
  }

  // load starts to bring the 16 queries from q0 on.
  static DEV_M void load(const AttnArgs &g, const uint16_t *Q, smem_t d, int q0) {
    int lane = threadIdx.x & 31;
    if (q0 < g.LQ)
#pragma unroll
      for (int i = 0; i < CH / 2; i++) {
        int c = i * 32 + lane, r = c / CH, q = c % CH;
        bool ok = q < ND && q0 + r < g.LQ;
        cp_async16(d + r * PITCH + q * 16, ok ? Q + (size_t)(q0 + r) * g.strideQ + q * 8 : Q, ok ? 16 : 0);
      }
    cp_async_commit();
  }

  // tile turns 16 queries at sq into their results.
  static DEV_M void tile(const AttnArgs &g, const Keys &keys, const uint32_t *there, smem_t sk, smem_t sv, smem_t sq, int blocks, int q0) {
    int lane = threadIdx.x & 31;
    uint32_t q[KD][4];
#pragma unroll
    for (int kk = 0; kk < KD; kk++) ldmatrix4(q[kk], sq + (lane & 15) * PITCH + (kk * 2 + (lane >> 4)) * 16);
    float s[2 * MOST][4] = {}, top[2] = {-INFINITY, -INFINITY}, sl = g.scale * 1.44269504f;
    smem_t pk = sk + ((lane & 7) + (lane >> 4 << 3)) * PITCH + (lane >> 3 & 1) * 16;
#pragma unroll
    for (int c = 0; c < MOST; c++)
      if (c < blocks) {
#pragma unroll
        for (int kk = 0; kk < KD; kk++) {
          uint32_t f[4];
          ldmatrix4(f, pk + c * 16 * PITCH + kk * 32);
          mma<BF>(s[2 * c], q[kk], f[0], f[1]), mma<BF>(s[2 * c + 1], q[kk], f[2], f[3]);
        }
#pragma unroll
        for (int e = 0; e < 2; e++) {
          uint32_t seen = there[c >> 1] >> (c & 1) * 16 & 0xffff & below(keys.limit(g.causal, q0 + (lane >> 2) + e * 8) - c * 16);
          if (seen != 0xffff) {
            seen >>= (lane & 3) * 2;
#pragma unroll
            for (int i = 0; i < 4; i++)
              if (!(seen >> ((i >> 1) * 8 + (i & 1)) & 1)) s[2 * c + (i >> 1)][2 * e + (i & 1)] = -INFINITY;
          }
          top[e] = fmaxf(top[e], fmaxf(fmaxf(s[2 * c][2 * e], s[2 * c][2 * e + 1]), fmaxf(s[2 * c + 1][2 * e], s[2 * c + 1][2 * e + 1])));
        }
      }
    float base[2], o[ND][4] = {}, l[4] = {};
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float m = quad_max(top[e]);
      base[e] = m == -INFINITY ? 0.0f : m * sl;
    }
    smem_t pv = sv + (lane & 15) * PITCH;
#pragma unroll
    for (int c = 0; c < MOST; c++)
      if (c < blocks) {
        uint32_t p[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const float *x = &s[2 * c + (i >> 1)][2 * (i & 1)];
          p[i] = exp2_2<BF>(fmaf(x[0], sl, -base[i & 1]), fmaf(x[1], sl, -base[i & 1]));
        }
        mma<BF>(l, p, Ones<BF>::v, Ones<BF>::v);
#pragma unroll
        for (int n = 0; n < ND; n += 2) {
          uint32_t f[4];
          if (n + 1 < ND) ldmatrix4t(f, pv + c * 16 * PITCH + (n + (lane >> 4)) * 16);
          else ldmatrix2t(f, pv + c * 16 * PITCH + n * 16);
          mma<BF>(o[n], p, f[0], f[1]);
          if (n + 1 < ND) mma<BF>(o[n + 1], p, f[2], f[3]);
        }
      }
    __syncwarp(); // all have read their queries
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float inv = l[2 * e] == 0.0f ? 0.0f : 1.0f / l[2 * e];
      smem_t d = sq + ((lane >> 2) + e * 8) * PITCH + (lane & 3) * 4;
#pragma unroll
      for (int n = 0; n < ND; n++) sts32(d + n * 16, pack2<BF>(o[n][2 * e] * inv, o[n][2 * e + 1] * inv));
    }
  }
};

#define ATTN_SHORT(name, bf, d, per_sm) \
  extern "C" __global__ void __launch_bounds__(128, per_sm) name(const __grid_constant__ AttnArgs g) { ShortAttn<bf, d>::run(g); } \
  TC_KERNEL(name)
ATTN_SHORT(tc_attn_short_f16_40, false, 40, 4)
ATTN_SHORT(tc_attn_short_bf16_40, true, 40, 4)
ATTN_SHORT(tc_attn_short_f16_64, false, 64, 4)
ATTN_SHORT(tc_attn_short_bf16_64, true, 64, 4)
ATTN_SHORT(tc_attn_short_f16_80, false, 80, 4)
ATTN_SHORT(tc_attn_short_bf16_80, true, 80, 4)
ATTN_SHORT(tc_attn_short_f16_160, false, 160, 2)
ATTN_SHORT(tc_attn_short_bf16_160, true, 160, 2)
