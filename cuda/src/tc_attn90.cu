// The flash attention of tc_attn.cu for Hopper (sm_90a), heads of 32, 40, 64, 80 and
// 160: the copy engine brings queries, keys and values, wgmma multiplies. Blocks stay
// and take item after item, BQ queries of a head each.
//
// Launch: grid min(ceil(LQ/BQ)·H·B, number of SMs), dynamic shared memory SHARED bytes:
//   D        32     40     64     80    160
//   BQ      128    128    128    128     64
//   BKV     128    128     64     64     64
//   block   384    384    384    384    256
//   SHARED 147712 147712 114944 164096 221440
// q, k, v: tensor maps of dimensions {D, H, L, B}, strides {2·D, 2·stride, 2·L·stride}
// bytes, boxes {64, 1, BQ or BKV, 1}, 128-byte swizzle, from the first head's column:
// columns beyond a head and rows beyond L come as zeros. AttnArgs as in tc_attn.cu, with
// the same meaning; the maps stand for its q, k and v and their strides and offsets.
//
// One thread brings tiles. Two warps finish them: zeros for values of keys not there, a
// column of ones behind the values (column D of P·V is the sum of the weights, of the
// same rounded weights) and a bit for each key that is there. A consumer warpgroup
// owns 64 queries. While it turns half a tile's scores into weights the tensor cores make
// the next tile's scores, and P·V of that half during the other half.
//
// For 64 queries and 128 keys of D = 40 the products take 384 cycles of the SM, 8192
// exponentials 512 at 16 a cycle, and a warp issues about 325 instructions. One
// exponential in FMA is made of FMAs instead: one in 8 makes that 448 cycles and 381
// instructions, one in 4 makes it 384 and 437. From heads of 80 on the products take longest.
#include "tc_attn.h"

template <bool BF, int D, int BKV, int NC> struct Flash90 {
  static constexpr int BQ = 64 * NC, KD = (D + 15) / 16, KB = (D + 63) / 64, VB = (D + 8 + 63) / 64, DV = D + 8, ST = 4, NK = BKV / 8, NO = DV / 8;
  static constexpr int BLOCK = BKV * 128, STAGE = (KB + VB) * BLOCK, Q_BYTES = KB * BQ * 128; // a block: 64 columns of a tile
  static constexpr int SHARED = ST * STAGE + Q_BYTES + 256;
#if defined(TC_ATTN_FMA) // a test's choice
  static constexpr int FMA = TC_ATTN_FMA;
#else
  static constexpr int FMA = D <= 64 ? 8 : 64;
#endif
  static constexpr uint32_t ONE = BF ? 0x3f80 : 0x3c00;

  // Item is the work item's place and how many tiles it takes: an even number, the
  // last may have no key at all.
  struct Item {
    int q0, h, b, tiles;
    Keys keys;
    DEV_M Item(const AttnArgs &g, int H, int i, int per_head) : q0(i % per_head * BQ), h(i / per_head % H), b(i / per_head / H), keys(g, b, min(q0 + BQ, g.LQ)) {
      tiles = (keys.end + 2 * BKV - 1) / (2 * BKV) * 2;
    }
  };
  struct Shared {
    smem_t s0, q, bits, raw, full, empty, fullQ, emptyQ;
    DEV_M Shared(smem_t s) : s0(s), q(s + ST * STAGE), bits(q + Q_BYTES), raw(bits + ST * 16), full(raw + ST * 8), empty(full + ST * 8), fullQ(empty + ST * 8), emptyQ(fullQ + 8) {}
    DEV_M smem_t k(unsigned n) const { return s0 + n % ST * STAGE; }
    DEV_M smem_t v(unsigned n) const { return k(n) + KB * BLOCK; }
  };

  static DEV_M void bring(const TMap *mq, const TMap *mk, const TMap *mv, const Shared &s, const Item &it, int round, unsigned &n) {
    mb_wait(s.emptyQ, (round & 1) ^ 1);
    mb_expect(s.fullQ, Q_BYTES);
    for (int c = 0; c < KB; c++) tma_load4(s.q + c * BQ * 128, mq, s.fullQ, c * 64, it.h, it.q0, it.b);
    for (int j = 0; j < it.tiles; j++, n++) {
      smem_t raw = s.raw + n % ST * 8;
      mb_wait(s.empty + n % ST * 8, (n / ST & 1) ^ 1);
      mb_expect(raw, 2 * KB * BLOCK);
      for (int c = 0; c < KB; c++) {
        tma_load4(s.k(n) + c * BLOCK, mk, raw, c * 64, it.h, j * BKV, it.b);
        tma_load4(s.v(n) + c * BLOCK, mv, raw, c * 64, it.h, j * BKV, it.b);
      }
    }
  }

  static DEV_M void finish(const Shared &s, const Item &it, unsigned &n) {
    int t = threadIdx.x - 32;
    auto at = [](smem_t v, int r, int q) { return v + (q >> 3) * BLOCK + r * 128 + (((q & 7) ^ (r & 7)) << 4); };
    for (int j = 0; j < it.tiles; j++, n++) {
      mb_wait(s.raw + n % ST * 8, n / ST & 1);
#pragma unroll
      for (int r = t; r < BKV; r += 64) {
        bool there = it.keys.there(j * BKV + r);
        sts128(at(s.v(n), r, D / 8), make_uint4(ONE, 0, 0, 0));
        if (!there) // NaN·0 is NaN
          for (int q = 0; q < D / 8; q++) sts128(at(s.v(n), r, q), make_uint4(0, 0, 0, 0));
        unsigned word = __ballot_sync(~0u, there);
        if ((t & 31) == 0) sts32(s.bits + n % ST * 16 + (r >> 5) * 4, word);
      }
      fence_async();
      mb_arrive(s.full + n % ST * 8);
    }
  }

  // Rows is what a thread holds of its warpgroup's 64 queries: two rows, e = 0 and 1.
  struct Rows {
    uint32_t q[KD][4];
    float o[NO][4];
    float m[2], base[2]; // a maximum of the row's scores that lags by up to 2^8 of weight; it in exponents
  };

  // weigh turns half of a tile's scores into weights; top takes the maxima of the next tile's.
  template <int HALF, bool TOP> static DEV_M void weigh(const Rows &x, float sl, const float (&s)[NK][4], uint32_t (&p)[NK / 2][4], const float (&next)[NK][4], float (&top)[2][2]) {
#pragma unroll
    for (int i = 0; i < NK / 2; i++) {
      int n = HALF * NK / 2 + i;
#pragma unroll
      for (int e = 0; e < 2; e++) {
        float a = fmaf(s[n][2 * e], sl, -x.base[e]), b = fmaf(s[n][2 * e + 1], sl, -x.base[e]);
        p[n >> 1][(n & 1) * 2 + e] = n % FMA == FMA - 1 ? pack2<BF>(exp2f_fma(a), exp2f_fma(b)) : exp2_2<BF>(a, b);
        if constexpr (TOP)
          for (int k = 0; k < 2; k++) top[e][k] = fmaxf(top[e][k], fmaxf(next[2 * i + k][2 * e], next[2 * i + k][2 * e + 1]));
      }
    }
  }

  // step turns tile j's scores s into weights p and starts adding P·V. Meanwhile it makes
  // the scores next of tile j+1, unless LAST. Each half of the weights feeds a product at once,
  // so the compiler cannot put exponentials off until after the waits.
  template <bool LAST> static DEV_M void step(const AttnArgs &g, const Shared &sh, const Item &it, Rows &x, int row0, int j, unsigned n, float (&s)[NK][4], float (&next)[NK][4], uint32_t (&p)[NK / 2][4]) {
    float sl = g.scale * 1.44269504f, top[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}};
    if constexpr (!LAST) scores(sh, x, n + 1, next);
    weigh<0, false>(x, sl, s, p, next, top);
    values<0>(sh, x, n, p);
    if constexpr (!LAST) {
      wgmma_wait<1>(); // the scores
      regs_fence(&next[0][0], NK * 4);
      cover(g, sh, it, row0, j + 1, n + 1, next);
    }
    weigh<1, !LAST>(x, sl, s, p, next, top);
    values<1>(sh, x, n, p);
    bool up = false;
    float fade[2];
    if constexpr (!LAST) up = rebase(x, sl, top, fade);
    wgmma_wait<0>();
    regs_fence(&p[0][0], NK * 2);
    regs_fence(&x.o[0][0], NO * 4);
    if ((threadIdx.x & 31) == 0) mb_arrive(sh.empty + n % ST * 8);
    if (up)
#pragma unroll
      for (int i = 0; i < NO; i++) x.o[i][0] *= fade[0], x.o[i][1] *= fade[0], x.o[i][2] *= fade[1], x.o[i][3] *= fade[1];
  }
  static DEV_M void scores(const Shared &sh, const Rows &x, unsigned n, float (&s)[NK][4]) {
    uint64_t k = wg_desc(sh.k(n));
    mb_wait(sh.full + n % ST * 8, n / ST & 1);
    wgmma_fence();
#pragma unroll
    for (int kk = 0; kk < KD; kk++) {
      uint64_t d = wg_desc_add(k, (kk >> 2) * BLOCK + (kk & 3) * 32);
      if (kk == 0) wgmma_a<BF, BKV, true>(&s[0][0], x.q[kk], d);
      else wgmma_a<BF, BKV>(&s[0][0], x.q[kk], d);
    }
    wgmma_commit();
  }
  template <int HALF> static DEV_M void values(const Shared &sh, Rows &x, unsigned n, uint32_t (&p)[NK / 2][4]) {
    uint64_t v = wg_desc_t(sh.v(n), BLOCK);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < NK / 4; i++) {
      int kk = HALF * NK / 4 + i;
      wgmma_at<BF, DV>(&x.o[0][0], p[kk], wg_desc_add(v, kk * 2048));
    }
    wgmma_commit();
  }
  // cover hides the scores of keys that a query doesn't see.
  static DEV_M void cover(const AttnArgs &g, const Shared &sh, const Item &it, int row0, int j, unsigned n, float (&s)[NK][4]) {
    int k0 = j * BKV;
    if (!it.keys.mask && k0 + BKV <= it.keys.used && !(g.causal && k0 + BKV > it.q0 + it.keys.shift + 1)) return;
    uint4 u = lds128(sh.bits + n % ST * 16);
    uint32_t word[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
    for (int e = 0; e < 2; e++) {
      int left = it.keys.limit(g.causal, row0 + e * 8) - k0;
#pragma unroll
      for (int i = 0; i < BKV / 32; i++) {
        uint32_t seen = (word[i] & below(left - i * 32)) >> ((threadIdx.x & 3) * 2);
#pragma unroll
        for (int k = 0; k < 4; k++)
          for (int c = 0; c < 2; c++) if (!(seen >> (k * 8 + c) & 1)) s[i * 4 + k][2 * e + c] = -INFINITY;
      }
    }
  }
  // rebase moves a row's base up where its weights would leave the range of a half. It
  // reports whether any of the warp's moved: then fade is what becomes of the sums.
  static DEV_M bool rebase(Rows &x, float sl, float (&top)[2][2], float (&fade)[2]) {
    bool any = false;
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float t = quad_max(fmaxf(top[e][0], top[e][1])), old = x.m[e] * sl;
      bool up = t * sl > old + 8.0f;
      if (up) x.m[e] = t, x.base[e] = t * sl;
      fade[e] = exp2f_fast(old - x.base[e]);
      any = any || up;
    }
    return __any_sync(~0u, any);
  }

  static DEV_M void attend(const AttnArgs &g, const Shared &sh, const Item &it, int round, unsigned &n) {
    int t = threadIdx.x - 128, lane = t & 31, row0 = it.q0 + (t >> 5) * 16 + (lane >> 2);
    Rows x = {};
    mb_wait(sh.fullQ, round & 1);
#pragma unroll
    for (int kk = 0; kk < KD; kk++) {
      int r = (t >> 5) * 16 + (lane & 15);
      ldmatrix4(x.q[kk], sh.q + (kk >> 2) * BQ * 128 + r * 128 + ((((kk & 3) * 2 + (lane >> 4)) ^ (r & 7)) << 4));
    }
    __syncwarp();
    if (lane == 0) mb_arrive(sh.emptyQ);
    if (it.tiles) {
      float a[NK][4], b[NK][4], fade[2], top[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}};
      uint32_t p[NK / 2][4];
      x.m[0] = x.m[1] = -INFINITY;
      scores(sh, x, n, a);
      wgmma_wait<0>();
      regs_fence(&a[0][0], NK * 4);
      cover(g, sh, it, row0, 0, n, a);
#pragma unroll
      for (int i = 0; i < NK; i++)
#pragma unroll
        for (int e = 0; e < 2; e++) top[e][i & 1] = fmaxf(top[e][i & 1], fmaxf(a[i][2 * e], a[i][2 * e + 1]));
      rebase(x, g.scale * 1.44269504f, top, fade);
      int j = 0;
      for (;;) {
        step<false>(g, sh, it, x, row0, j++, n++, a, b, p);
        if (j == it.tiles - 1) break;
        step<false>(g, sh, it, x, row0, j++, n++, b, a, p);
      }
      step<true>(g, sh, it, x, row0, j, n++, b, a, p);
    }
    uint16_t *out = (uint16_t *)g.out + (size_t)it.b * g.LQ * g.strideO + it.h * D;
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float l = __shfl_sync(~0u, x.o[NO - 1][2 * e], lane & ~3); // column D
      int row = row0 + e * 8;
      if (row >= g.LQ) continue;
      float inv = l == 0.0f ? 0.0f : 1.0f / l;
      uint32_t *d = (uint32_t *)(out + (size_t)row * g.strideO) + (lane & 3);
#pragma unroll
      for (int i = 0; i < D / 8; i++) d[i * 4] = pack2<BF>(x.o[i][2 * e] * inv, x.o[i][2 * e + 1] * inv);
    }
  }

  static DEV_M void run(const TMap *mq, const TMap *mk, const TMap *mv, const AttnArgs &g, int H, int B) {
    TC_SMEM(smem);
    Shared s(smem_addr(smem));
    if (threadIdx.x == 0) {
      for (int i = 0; i < ST; i++) mb_init(s.raw + i * 8, 1), mb_init(s.full + i * 8, 64), mb_init(s.empty + i * 8, 4 * NC); // a warp each
      mb_init(s.fullQ, 1), mb_init(s.emptyQ, 4 * NC);
      mb_fence_init();
    }
    __syncthreads();
    pdl_launch();
    pdl_wait();
    int per_head = (g.LQ + BQ - 1) / BQ, items = per_head * H * B, round = 0;
    unsigned n = 0;
    if (threadIdx.x < 128) {
      if constexpr (NC > 1) regs_less<56>();
      if (threadIdx.x == 0)
        for (int i = blockIdx.x; i < items; i += gridDim.x, round++) bring(mq, mk, mv, s, Item(g, H, i, per_head), round, n);
      else if (threadIdx.x >= 32 && threadIdx.x < 96)
        for (int i = blockIdx.x; i < items; i += gridDim.x) finish(s, Item(g, H, i, per_head), n);
    } else {
      if constexpr (NC > 1) regs_more<224>();
      for (int i = blockIdx.x; i < items; i += gridDim.x, round++) attend(g, s, Item(g, H, i, per_head), round, n);
    }
  }
};

#define ATTN90(name, bf, d, bkv, nc) \
  extern "C" __global__ void __launch_bounds__(128 + 128 * nc, 1) name(const __grid_constant__ TMap q, const __grid_constant__ TMap k, const __grid_constant__ TMap v, const __grid_constant__ AttnArgs g, int H, int B) { \
    Flash90<bf, d, bkv, nc>::run(&q, &k, &v, g, H, B); \
  } \
  TC_KERNEL(name)
ATTN90(tc_attn90_f16_32, false, 32, 128, 2)
ATTN90(tc_attn90_bf16_32, true, 32, 128, 2)
ATTN90(tc_attn90_f16_40, false, 40, 128, 2)
ATTN90(tc_attn90_bf16_40, true, 40, 128, 2)
ATTN90(tc_attn90_f16_64, false, 64, 64, 2)
ATTN90(tc_attn90_bf16_64, true, 64, 64, 2)
ATTN90(tc_attn90_f16_80, false, 80, 64, 2)
ATTN90(tc_attn90_bf16_80, true, 80, 64, 2)
ATTN90(tc_attn90_f16_160, false, 160, 64, 1)
ATTN90(tc_attn90_bf16_160, true, 160, 64, 1)
