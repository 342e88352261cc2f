// The flash attention of tc_attn.cu for Hopper (sm_90a) and long rows of keys, heads of
// 40 and 80: wgmma with queries and weights in registers, keys and values in shared
// memory.
//
// Launch: grid (ceil(LQ/192), H, B), block 512, dynamic shared memory 116784 bytes. AttnArgs as there, with the same meaning.
//
// One warpgroup copies: keys as rows of 64-column blocks, values turned round to
// [D][keys] (wgmma reads B by rows of K) through ldmatrix. Below the values' D rows lies
// one of ones, so that column D of P·V is the sum of the weights, of the same
// rounded weights. Three warpgroups of 64 queries take turns between tensor
// cores and exponentials: for 64 queries and 128 keys of D = 40 the products take 384
// cycles of the SM, the exponentials 512 at 16 a cycle, the limit here. 512 threads have
// 128 registers; the copiers give theirs up: 152 for a consumer.
#include "tc_attn.h"

template <bool BF, int D, int BKV> struct Flash90 {
  static constexpr int KD = (D + 15) / 16, KB = (D + 63) / 64, DV = D + 8, ST = 3, NK = BKV / 8, NO = DV / 8;
  static constexpr int K_BYTES = KB * BKV * 128, V_BYTES = BKV / 64 * DV * 128, STAGE = K_BYTES + V_BYTES;
  static constexpr int PITCH = (D / 8 | 1) * 16, RAW = BKV * PITCH;

  static DEV_M void copy(const AttnArgs &g, const Keys &keys, smem_t s0, smem_t full, smem_t empty, int tiles) {
    int t = threadIdx.x, lane = t & 31, w = t >> 5, h = blockIdx.y, b = blockIdx.z;
    smem_t raw = s0 + ST * STAGE;
    const uint16_t *K = (const uint16_t *)g.k + (size_t)b * g.LK * g.strideK + g.offK + h * D;
    const uint16_t *V = (const uint16_t *)g.v + (size_t)b * g.LK * g.strideV + g.offV + h * D;
    // once: zeros in the keys' columns from D on, a row of ones and seven of zeros below the values
    for (int s = 0; s < ST; s++) {
      smem_t k = s0 + s * STAGE, v = k + K_BYTES;
      if constexpr (D % 16)
        for (int r = t; r < BKV; r += 128) sts128(k + (D / 64) * BKV * 128 + r * 128 + ((D / 8 % 8 ^ (r & 7)) << 4), make_uint4(0, 0, 0, 0));
      for (int c = t; c < BKV; c += 128) { // BKV/64 blocks of 8 rows of 8 chunks
        int r = D + (c >> 3 & 7);
        uint32_t x = r == D ? Ones<BF>::v : 0;
        sts128(v + (c >> 6) * DV * 128 + r * 128 + ((c & 7) << 4), make_uint4(x, x, x, x));
      }
    }
    auto load = [&](int j) {
      smem_t k = s0 + j % ST * STAGE, v = raw + j % 3 * RAW;
      for (int c = t; c < BKV * (D / 8); c += 128) {
        int r = c / (D / 8), q = c % (D / 8), key = j * BKV + r;
        bool in = key < keys.used, there = in && keys.there(key);
        cp_async16(k + (q >> 3) * BKV * 128 + r * 128 + (((q & 7) ^ (r & 7)) << 4), in ? K + (size_t)key * g.strideK + q * 8 : K, in ? 16 : 0);
        cp_async16(v + r * PITCH + q * 16, there ? V + (size_t)key * g.strideV + q * 8 : V, there ? 16 : 0);
      }
    };
    if (tiles) load(0);
    cp_async_commit();
    for (int j = 0; j < tiles; j++) {
      int next = j + 1;
      if (next < tiles) {
        if (next >= ST) mb_wait(empty + next % ST * 8, (next / ST - 1) & 1);
        load(next);
      }
      cp_async_commit();
      cp_async_wait<1>();
      bar_sync<2, 128>(); // tile j has come; all have turned tile j-1 round, whose buffer load(j + 2) takes
      smem_t r = raw + j % 3 * RAW, v = s0 + j % ST * STAGE + K_BYTES;
      for (int u = w; u < BKV / 32 * (D / 8); u += 4) {
        int k0 = u / (D / 8) * 32, d0 = u % (D / 8);
        uint32_t f[4];
        ldmatrix4t(f, r + (k0 + lane) * PITCH + d0 * 16);
        int d = d0 * 8 + (lane >> 2);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int key = k0 + i * 8;
          sts32(v + (key >> 6) * DV * 128 + d * 128 + (((key >> 3 & 7) ^ (d & 7)) << 4) + (lane & 3) * 4, f[i]);
        }
      }
      fence_async();
      mb_arrive(full + j % ST * 8);
    }
    cp_async_wait<0>();
  }

  static DEV_M void attend(const AttnArgs &g, const Keys &keys, smem_t s0, smem_t full, smem_t empty, int tiles) {
    int t = threadIdx.x - 128, lane = t & 31, h = blockIdx.y, b = blockIdx.z, row0 = blockIdx.x * 192 + (t >> 5) * 16 + (lane >> 2);
    const uint16_t *Q = (const uint16_t *)g.q + (size_t)b * g.LQ * g.strideQ + g.offQ + h * D + (lane & 3) * 2;
    uint32_t q[KD][4];
#pragma unroll
    for (int kk = 0; kk < KD; kk++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int row = row0 + (i & 1) * 8, col = kk * 16 + (i >> 1) * 8;
        q[kk][i] = col < D && row < g.LQ ? *(const uint32_t *)(Q + (size_t)row * g.strideQ + col) : 0;
      }
    float o[NO][4] = {}, m[2] = {-INFINITY, -INFINITY}, sl = g.scale * 1.44269504f;
    for (int j = 0; j < tiles; j++) {
      smem_t sk = s0 + j % ST * STAGE, sv = sk + K_BYTES;
      float s[NK][4];
      mb_wait(full + j % ST * 8, j / ST & 1);
      wgmma_fence();
#pragma unroll
      for (int kk = 0; kk < KD; kk++) {
        uint64_t d = wg_desc(sk + (kk >> 2) * BKV * 128 + (kk & 3) * 32);
        if (kk == 0) wgmma_a<BF, BKV, true>(&s[0][0], q[kk], d);
        else wgmma_a<BF, BKV>(&s[0][0], q[kk], d);
      }
      wgmma_commit();
      wgmma_wait<0>();
      int k0 = j * BKV;
      if (keys.mask || k0 + BKV > keys.used || (g.causal && k0 + BKV > (int)blockIdx.x * 192 + keys.shift + 1)) {
        int l0 = keys.limit(g.causal, row0), l1 = keys.limit(g.causal, row0 + 8);
#pragma unroll
        for (int n = 0; n < NK; n++) hide(s[n], keys.mask, k0 + n * 8 + (lane & 3) * 2, l0, l1);
      }
      uint32_t p[NK / 2][4];
#pragma unroll
      for (int e = 0; e < 2; e++) {
        float top = m[e];
#pragma unroll
        for (int n = 0; n < NK; n++) top = fmaxf(top, fmaxf(s[n][2 * e], s[n][2 * e + 1]));
        top = quad_max(top);
        float base = top == -INFINITY ? 0.0f : top * sl, fade = exp2f_fast(m[e] * sl - base);
        m[e] = top;
#pragma unroll
        for (int n = 0; n < NK; n++) p[n >> 1][(n & 1) * 2 + e] = exp2_2<BF>(s[n][2 * e] * sl - base, s[n][2 * e + 1] * sl - base);
#pragma unroll
        for (int n = 0; n < NO; n++) o[n][2 * e] *= fade, o[n][2 * e + 1] *= fade;
      }
      wgmma_fence();
#pragma unroll
      for (int kk = 0; kk < BKV / 16; kk++) wgmma_a<BF, DV>(&o[0][0], p[kk], wg_desc(sv + (kk >> 2) * DV * 128 + (kk & 3) * 32));
      wgmma_commit();
      wgmma_wait<0>();
      if (lane == 0) mb_arrive(empty + j % ST * 8);
    }
    uint16_t *out = (uint16_t *)g.out + (size_t)b * g.LQ * g.strideO + h * D;
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float l = lane & 3 ? 0.0f : o[NO - 1][2 * e]; // column D, in the quad's first lane
      l += __shfl_xor_sync(~0u, l, 1);
      l += __shfl_xor_sync(~0u, l, 2);
      int row = row0 + e * 8;
      if (row >= g.LQ) continue;
      float inv = l == 0.0f ? 0.0f : 1.0f / l;
      uint32_t *d = (uint32_t *)(out + (size_t)row * g.strideO) + (lane & 3);
#pragma unroll
      for (int n = 0; n < D / 8; n++) d[n * 4] = pack2<BF>(o[n][2 * e] * inv, o[n][2 * e + 1] * inv);
    }
  }

  static DEV_M void run(const AttnArgs &g) {
    TC_SMEM(smem);
    smem_t s0 = smem_addr(smem), full = s0 + ST * STAGE + 3 * RAW, empty = full + ST * 8;
    if (threadIdx.x == 0) {
      for (int i = 0; i < ST; i++) mb_init(full + i * 8, 128), mb_init(empty + i * 8, 12); // a warp each
      mb_fence_init();
    }
    __syncthreads();
    pdl_launch();
    pdl_wait();
    Keys keys(g, blockIdx.z, min((int)blockIdx.x * 192 + 192, g.LQ));
    int tiles = (keys.end + BKV - 1) / BKV;
    if (threadIdx.x < 128) {
      regs_less<56>();
      copy(g, keys, s0, full, empty, tiles);
    } else {
      regs_more<152>();
      attend(g, keys, s0, full, empty, tiles);
    }
  }
};

#define ATTN90(name, bf, d, bkv) \
  extern "C" __global__ void __launch_bounds__(512, 1) name(const __grid_constant__ AttnArgs g) { Flash90<bf, d, bkv>::run(g); } \
  TC_KERNEL(name)
ATTN90(tc_attn90_f16_40, false, 40, 128)
ATTN90(tc_attn90_bf16_40, true, 40, 128)
ATTN90(tc_attn90_f16_80, false, 80, 64)
ATTN90(tc_attn90_bf16_80, true, 80, 64)
