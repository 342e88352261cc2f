// Flash attention over halves on tensor cores, sm_80 and up: softmax(scale·Q·Kᵀ +
// masks)·V for every head, the softmax running in f32 over tiles of keys. Better where
// they apply: tc_attn_short.cu for few keys, tc_attn90.cu on Hopper.
//
// Launch, heads of 32, 40, 64, 80, 160: grid (ceil(LQ/BQ), H, B), block 128, dynamic
// shared memory (BQ + 4·BKV)·PITCH bytes:
//   D     32   40   64   80  160
//   BQ    64  128   64   64   64
//   BKV   64   64   64   64   32
//   PITCH 80  112  144  176  336
// Heads of 512: grid (ceil(LQ/32), H, B), block 128, 101120 bytes.
//
// q [B,LQ,strideQ], k [B,LK,strideK], v [B,LK,strideV] with head h at columns
// off + h·D; out [B,LQ,strideO], head h at column h·D. Strides and offsets are
// multiples of 8 elements, the pointers of 16 bytes.
// mask: f32 [B,LK] or null; a key with mask 0 is as if it were not there, whatever it
// holds. used: int [1] or null: the number of keys in use. causal: query i sees keys up
// to i + used - LQ. A query that sees no key gives zeros.
// Source: Dao, arXiv 2307.08691, Algorithm 1.
#include "tc_attn.h"

// A warp owns 16·MR queries. Rows of Q, K and V lie PITCH bytes apart, an odd
// number of chunks of 16, so 8 rows of a chunk are in different banks. Sums of
// weights come from one more mma against ones, of the same rounded weights.
template <bool BF, int D, int MR, int BKV> DEV void attn(const AttnArgs &g) {
  constexpr int KD = (D + 15) / 16, CH = KD * 2, PITCH = (CH | 1) * 16, BQ = 64 * MR, ND = D / 8, NK = BKV / 8;
  TC_SMEM(smem);
  smem_t sq = smem_addr(smem), skv = sq + BQ * PITCH;
  int t = threadIdx.x, lane = t & 31, w = t >> 5, q0 = blockIdx.x * BQ, h = blockIdx.y, b = blockIdx.z;
  pdl_launch();
  pdl_wait();
  Keys keys(g, b, min(q0 + BQ, g.LQ));
  const uint16_t *Q = (const uint16_t *)g.q + (size_t)b * g.LQ * g.strideQ + g.offQ + h * D;
  const uint16_t *K = (const uint16_t *)g.k + (size_t)b * g.LK * g.strideK + g.offK + h * D;
  const uint16_t *V = (const uint16_t *)g.v + (size_t)b * g.LK * g.strideV + g.offV + h * D;
  for (int c = t; c < BQ * CH; c += 128) {
    int r = c / CH, q = c % CH;
    bool ok = q < D / 8 && q0 + r < g.LQ;
    cp_async16(sq + r * PITCH + q * 16, ok ? Q + (size_t)(q0 + r) * g.strideQ + q * 8 : Q, ok ? 16 : 0);
  }
  auto load = [&](int stage, int j0) {
    smem_t sk = skv + stage * 2 * BKV * PITCH, sv = sk + BKV * PITCH;
    for (int c = t; c < BKV * CH; c += 128) {
      int r = c / CH, q = c % CH, j = j0 + r;
      bool k = q < D / 8 && j < keys.used, v = k && keys.there(j); // NaN·0 is NaN: a key not there must be zero
      cp_async16(sk + r * PITCH + q * 16, k ? K + (size_t)j * g.strideK + q * 8 : K, k ? 16 : 0);
      cp_async16(sv + r * PITCH + q * 16, v ? V + (size_t)j * g.strideV + q * 8 : V, v ? 16 : 0);
    }
    cp_async_commit();
  };
  load(0, 0);
  uint32_t qf[MR][KD][4];
  float o[MR][ND][4] = {}, l[MR][4] = {}, m[MR][2];
#pragma unroll
  for (int i = 0; i < MR; i++) m[i][0] = m[i][1] = -INFINITY;
  float sl = g.scale * 1.44269504f;
  int row0 = q0 + w * 16 * MR + (lane >> 2);
  int tiles = (keys.end + BKV - 1) / BKV;
  for (int j = 0; j < tiles; j++) {
    cp_async_wait<0>();
    __syncthreads();
    if (j + 1 < tiles) load((j + 1) & 1, (j + 1) * BKV);
    if (j == 0) {
#pragma unroll
      for (int i = 0; i < MR; i++)
#pragma unroll
        for (int kk = 0; kk < KD; kk++) ldmatrix4(qf[i][kk], sq + ((w * MR + i) * 16 + (lane & 15)) * PITCH + (kk * 2 + (lane >> 4)) * 16);
    }
    smem_t sk = skv + (j & 1) * 2 * BKV * PITCH, sv = sk + BKV * PITCH;
    float s[MR][NK][4] = {};
    smem_t pk = sk + ((lane & 7) + (lane >> 4 << 3)) * PITCH + (lane >> 3 & 1) * 16;
#pragma unroll
    for (int kk = 0; kk < KD; kk++)
#pragma unroll
      for (int n = 0; n < NK / 2; n++) {
        uint32_t f[4];
        ldmatrix4(f, pk + n * 16 * PITCH + kk * 32);
#pragma unroll
        for (int i = 0; i < MR; i++) mma<BF>(s[i][2 * n], qf[i][kk], f[0], f[1]), mma<BF>(s[i][2 * n + 1], qf[i][kk], f[2], f[3]);
      }
    int k0 = j * BKV;
    if (keys.mask || k0 + BKV > keys.used || (g.causal && k0 + BKV > q0 + keys.shift + 1)) {
#pragma unroll
      for (int i = 0; i < MR; i++) {
        int l0 = keys.limit(g.causal, row0 + i * 16), l1 = keys.limit(g.causal, row0 + i * 16 + 8);
#pragma unroll
        for (int n = 0; n < NK; n++) hide(s[i][n], keys.mask, k0 + n * 8 + (lane & 3) * 2, l0, l1);
      }
    }
    uint32_t p[MR][NK][2];
#pragma unroll
    for (int i = 0; i < MR; i++)
#pragma unroll
      for (int e = 0; e < 2; e++) {
        float top = m[i][e];
#pragma unroll
        for (int n = 0; n < NK; n++) top = fmaxf(top, fmaxf(s[i][n][2 * e], s[i][n][2 * e + 1]));
        top = quad_max(top);
        float base = top == -INFINITY ? 0.0f : top * sl, fade = exp2f_fast(m[i][e] * sl - base);
        m[i][e] = top;
#pragma unroll
        for (int n = 0; n < NK; n++) p[i][n][e] = exp2_2<BF>(s[i][n][2 * e] * sl - base, s[i][n][2 * e + 1] * sl - base);
        l[i][2 * e] *= fade;
#pragma unroll
        for (int n = 0; n < ND; n++) o[i][n][2 * e] *= fade, o[i][n][2 * e + 1] *= fade;
      }
    smem_t pv = sv + (lane & 15) * PITCH;
#pragma unroll
    for (int kk = 0; kk < BKV / 16; kk++) {
#pragma unroll
      for (int i = 0; i < MR; i++) {
        uint32_t a[4] = {p[i][2 * kk][0], p[i][2 * kk][1], p[i][2 * kk + 1][0], p[i][2 * kk + 1][1]};
        mma<BF>(l[i], a, Ones<BF>::v, Ones<BF>::v);
      }
#pragma unroll
      for (int n = 0; n < ND; n += 2) {
        uint32_t f[4];
        if (n + 1 < ND) ldmatrix4t(f, pv + kk * 16 * PITCH + (n + (lane >> 4)) * 16);
        else ldmatrix2t(f, pv + kk * 16 * PITCH + n * 16);
#pragma unroll
        for (int i = 0; i < MR; i++) {
          uint32_t a[4] = {p[i][2 * kk][0], p[i][2 * kk][1], p[i][2 * kk + 1][0], p[i][2 * kk + 1][1]};
          mma<BF>(o[i][n], a, f[0], f[1]);
          if (n + 1 < ND) mma<BF>(o[i][n + 1], a, f[2], f[3]);
        }
      }
    }
  }
  cp_async_wait<0>(); // no tile at all: the first load is still under way
  uint16_t *out = (uint16_t *)g.out + (size_t)b * g.LQ * g.strideO + h * D;
#pragma unroll
  for (int i = 0; i < MR; i++)
#pragma unroll
    for (int e = 0; e < 2; e++) {
      int row = row0 + i * 16 + e * 8;
      if (row >= g.LQ) continue;
      float inv = l[i][2 * e] == 0.0f ? 0.0f : 1.0f / l[i][2 * e];
      uint32_t *d = (uint32_t *)(out + (size_t)row * g.strideO) + (lane & 3);
#pragma unroll
      for (int n = 0; n < ND; n++) d[n * 4] = pack2<BF>(o[i][n][2 * e] * inv, o[i][n][2 * e + 1] * inv);
    }
}

// Heads of 512 (the decoder of pictures has one): 32 queries, 32 keys a tile. Warp
// w owns rows 16·(w/2); for Q·Kᵀ keys 16·(w%2), for P·V columns 256·(w%2), whose 128
// sums a thread are what registers hold. K and V have one buffer each: V loads
// while scores are made, the next K while the sums are. 99 KB: one block on an SM of
// 100 KB, two from 228. Rows are 1024 bytes, chunk q of row r at q ^ r%8.
template <bool BF> DEV void attn512(const AttnArgs &g) {
  constexpr int D = 512, BT = 32, TILE = BT * 1024, PP = 80;
  TC_SMEM(smem);
  smem_t sq = smem_addr(smem), sk = sq + TILE, sv = sk + TILE, sp = sv + TILE, sm = sp + BT * PP;
  int t = threadIdx.x, lane = t & 31, w = t >> 5, wr = w >> 1, wc = w & 1, q0 = blockIdx.x * BT, h = blockIdx.y, b = blockIdx.z;
  pdl_launch();
  pdl_wait();
  Keys keys(g, b, min(q0 + BT, g.LQ));
  const uint16_t *Q = (const uint16_t *)g.q + (size_t)b * g.LQ * g.strideQ + g.offQ + h * D;
  const uint16_t *K = (const uint16_t *)g.k + (size_t)b * g.LK * g.strideK + g.offK + h * D;
  const uint16_t *V = (const uint16_t *)g.v + (size_t)b * g.LK * g.strideV + g.offV + h * D;
  auto at = [](smem_t s, int r, int q) { return s + r * 1024 + ((q ^ (r & 7)) << 4); };
  auto load = [&](smem_t d, const uint16_t *s, int stride, int first, int end, bool masked) {
    for (int c = t; c < BT * 64; c += 128) {
      int r = c >> 6, q = c & 63, j = first + r;
      bool ok = j < end && (!masked || keys.there(j));
      cp_async16(at(d, r, q), ok ? s + (size_t)j * stride + q * 8 : s, ok ? 16 : 0);
    }
  };
  load(sq, Q, g.strideQ, q0, g.LQ, false);
  load(sk, K, g.strideK, 0, keys.used, false);
  cp_async_commit();
  load(sv, V, g.strideV, 0, keys.used, true);
  cp_async_commit();
  float o[32][4] = {}, l[4] = {}, m[2] = {-INFINITY, -INFINITY}, sl = g.scale * 1.44269504f;
  int rw = wr * 16 + (lane >> 2), tiles = (keys.end + BT - 1) / BT;
  for (int j = 0; j < tiles; j++) {
    cp_async_wait<1>(); // K
    __syncthreads();
    float s[2][4] = {};
#pragma unroll 8
    for (int kk = 0; kk < D / 16; kk++) {
      uint32_t a[4], f[4];
      ldmatrix4(a, at(sq, wr * 16 + (lane & 15), kk * 2 + (lane >> 4)));
      ldmatrix4(f, at(sk, wc * 16 + (lane & 7) + (lane >> 4 << 3), kk * 2 + (lane >> 3 & 1)));
      mma<BF>(s[0], a, f[0], f[1]), mma<BF>(s[1], a, f[2], f[3]);
    }
    int k0 = j * BT + wc * 16 + (lane & 3) * 2;
    int l0 = keys.limit(g.causal, q0 + rw), l1 = keys.limit(g.causal, q0 + rw + 8);
    hide(s[0], keys.mask, k0, l0, l1), hide(s[1], keys.mask, k0 + 8, l0, l1);
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float top = quad_max(fmaxf(fmaxf(s[0][2 * e], s[0][2 * e + 1]), fmaxf(s[1][2 * e], s[1][2 * e + 1])));
      if ((lane & 3) == 0) sts32(sm + (wc * 32 + rw + e * 8) * 4, f32_bits(top));
    }
    __syncthreads();
    if (j + 1 < tiles) load(sk, K, g.strideK, (j + 1) * BT, keys.used, false);
    cp_async_commit();
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float top = fmaxf(m[e], fmaxf(lds32f(sm + (rw + e * 8) * 4), lds32f(sm + (32 + rw + e * 8) * 4)));
      float base = top == -INFINITY ? 0.0f : top * sl, fade = exp2f_fast(m[e] * sl - base);
      m[e] = top;
#pragma unroll
      for (int n = 0; n < 2; n++) sts32(sp + (rw + e * 8) * PP + (wc * 16 + n * 8 + (lane & 3) * 2) * 2, exp2_2<BF>(s[n][2 * e] * sl - base, s[n][2 * e + 1] * sl - base));
      l[2 * e] *= fade;
#pragma unroll
      for (int n = 0; n < 32; n++) o[n][2 * e] *= fade, o[n][2 * e + 1] *= fade;
    }
    cp_async_wait<1>(); // V
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < 2; kk++) {
      uint32_t a[4], f[4];
      ldmatrix4(a, sp + (wr * 16 + (lane & 15)) * PP + (kk * 2 + (lane >> 4)) * 16);
      mma<BF>(l, a, Ones<BF>::v, Ones<BF>::v);
#pragma unroll
      for (int n = 0; n < 32; n += 2) {
        ldmatrix4t(f, at(sv, kk * 16 + (lane & 15), wc * 32 + n + (lane >> 4)));
        mma<BF>(o[n], a, f[0], f[1]), mma<BF>(o[n + 1], a, f[2], f[3]);
      }
    }
    __syncthreads();
    if (j + 1 < tiles) load(sv, V, g.strideV, (j + 1) * BT, keys.used, true);
    cp_async_commit();
  }
  cp_async_wait<0>();
  uint16_t *out = (uint16_t *)g.out + (size_t)b * g.LQ * g.strideO + h * D + wc * 256;
#pragma unroll
  for (int e = 0; e < 2; e++) {
    int row = q0 + rw + e * 8;
    if (row >= g.LQ) continue;
    float inv = l[2 * e] == 0.0f ? 0.0f : 1.0f / l[2 * e];
    uint32_t *d = (uint32_t *)(out + (size_t)row * g.strideO) + (lane & 3);
#pragma unroll
    for (int n = 0; n < 32; n++) d[n * 4] = pack2<BF>(o[n][2 * e] * inv, o[n][2 * e + 1] * inv);
  }
}

// Heads of 40 have the long rows (4096 queries at 512x512): 32 queries a warp, so that
// each ldmatrix of K or V feeds four mma. The others are short and need blocks
// more than reuse: 16 queries a warp.
#define ATTN(name, bf, d, mr, bkv, per_sm) \
  extern "C" __global__ void __launch_bounds__(128, per_sm) name(const __grid_constant__ AttnArgs g) { attn<bf, d, mr, bkv>(g); } \
  TC_KERNEL(name)
ATTN(tc_attn_f16_32, false, 32, 1, 64, 4)
ATTN(tc_attn_bf16_32, true, 32, 1, 64, 4)
ATTN(tc_attn_f16_40, false, 40, 2, 64, 2)
ATTN(tc_attn_bf16_40, true, 40, 2, 64, 2)
ATTN(tc_attn_f16_64, false, 64, 1, 64, 3)
ATTN(tc_attn_bf16_64, true, 64, 1, 64, 3)
ATTN(tc_attn_f16_80, false, 80, 1, 64, 3)
ATTN(tc_attn_bf16_80, true, 80, 1, 64, 3)
ATTN(tc_attn_f16_160, false, 160, 1, 32, 2)
ATTN(tc_attn_bf16_160, true, 160, 1, 32, 2)
extern "C" __global__ void __launch_bounds__(128, 2) tc_attn_f16_512(const __grid_constant__ AttnArgs g) { attn512<false>(g); }
TC_KERNEL(tc_attn_f16_512)
extern "C" __global__ void __launch_bounds__(128, 2) tc_attn_bf16_512(const __grid_constant__ AttnArgs g) { attn512<true>(g); }
TC_KERNEL(tc_attn_bf16_512)
