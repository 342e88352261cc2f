// The 3x3 convolution with stride 1 for sm_80 and up: the same result as tc_conv.cu
// for KH = KW = 3, stride 1, dil 1 and C1, C2 multiples of 32, without reading the input
// nine times.
//
// Launch: grid ceil(OW/8)·ceil(OH/th)·ceil(N/tn)·ceil(O/BN), th x tn = 16 x 1 if OH > 8,
// else 8 x 2; block 128; dynamic shared memory 25600 + TC_STAGES·BN·64 bytes, BN = 128 or
// 64. Arguments as tc_conv.cu's.
//
// A block makes 128 pixels (8 wide) x BN channels. The pixels' patch with its border, 32
// channels at a time, lies in one of two buffers for nine steps, one a tap, that
// multiply shifted rows of it by 32 rows of weights. While one patch is in use the
// next comes, a chunk a thread and step. 58 KB with 4 stages, 49 with 3: two blocks an SM
// either way.
#include "tc_tile.h"

template <bool BF, int BN, int WN> DEV void conv3(const ConvArgs &g) {
  typedef Tile<BF, 128, BN, 64, WN> T;
  constexpr int ST = TC_STAGES, PATCH = Place::PIXELS * 64, STAGE = BN * 64, RB = BN / 32, CHUNKS = (Place::PIXELS + 31) / 32;
  TC_SMEM(smem);
  smem_t sp = smem_addr(smem), sw = sp + 2 * PATCH;
  int C = g.C1 + g.C2, t = threadIdx.x, lane = t & 31, w = t >> 5, q = t & 3, r = t >> 2;
  int mt = Place::count(g), nt = (g.O + BN - 1) / BN, bm, bn, blocks = C >> 5;
  tc_tile_at(blockIdx.x, mt, nt, &bm, &bn);
  Place at;
  at.start(g, bm);
  uint32_t ow[RB];
#pragma unroll
  for (int i = 0; i < RB; i++) ow[i] = (uint32_t)min(bn * BN + r + i * 32, g.O - 1) * 9 * C + q * 8;
  pdl_launch();
  pdl_wait();
  // chunk i of a thread is chunk q of the patch's pixel r + 32i, in block b of 32 channels
  auto fetch = [&](int i, int b) {
    int p = r + i * 32, c = b * 32 + q * 8, image;
    uint32_t from;
    bool second = c >= g.C1, ok = at.source(g, p, &image, &from);
    const uint16_t *x = (const uint16_t *)(second ? g.x2 : g.x);
    if (p < Place::PIXELS) cp_async16(tc_chunk(sp + (b & 1) * PATCH, p, q), ok ? x + (size_t)from * (second ? g.C2 : g.C1) + (second ? c - g.C1 : c) : x, ok ? 16 : 0);
  };
  auto weights = [&](int stage, int b, int tap) {
    smem_t d = tc_chunk(sw + stage * STAGE, r, q);
    const uint16_t *s = (const uint16_t *)g.W + tap * C + b * 32;
#pragma unroll
    for (int i = 0; i < RB; i++) cp_async16(d + i * 2048, s + ow[i], 16);
  };
  T c;
  for (int i = 0; i < CHUNKS; i++) fetch(i, 0);
#pragma unroll
  for (int s = 0; s < ST - 1; s++) weights(s, 0, s), cp_async_commit();
  int ra = (w / T::WARPS_N) * 64 + (lane & 15), rb = (w % T::WARPS_N) * WN + (lane & 7) + (lane >> 4 << 3), corner = at.corner(ra);
  int stage = 0, to = ST - 1;
  for (int b = 0; b < blocks; b++) {
    smem_t patch = sp + (b & 1) * PATCH;
#pragma unroll 1
    for (int tap = 0; tap < 9; tap++) {
      cp_async_wait<ST - 2>();
      __syncthreads();
      int ahead = tap + ST - 1;
      if (ahead < 9) weights(to, b, ahead);
      else if (b + 1 < blocks) weights(to, b + 1, ahead - 9);
      if (b + 1 < blocks && tap < 6) {
        if (tap == 0) fetch(0, b + 1);
        fetch(tap + 1, b + 1);
      }
      cp_async_commit();
      int p0 = corner + tap / 3 * Place::PW + tap % 3;
      smem_t pb = sw + stage * STAGE;
#pragma unroll
      for (int kk = 0; kk < 2; kk++) {
        uint32_t a[4][4], f[WN / 16][4];
#pragma unroll
        for (int i = 0; i < 4; i++) ldmatrix4(a[i], tc_chunk(patch, p0 + i * 2 * Place::PW, kk * 2 + (lane >> 4)));
#pragma unroll
        for (int j = 0; j < WN / 16; j++) ldmatrix4(f[j], tc_chunk(pb, rb, kk * 2 + (lane >> 3 & 1)) + j * 1024);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int j = 0; j < WN / 8; j++) mma<BF>(c.acc[i][j], a[i], f[j >> 1][(j & 1) * 2], f[j >> 1][(j & 1) * 2 + 1]);
      }
      stage = stage + 1 == ST ? 0 : stage + 1, to = to + 1 == ST ? 0 : to + 1;
    }
  }
  cp_async_wait<0>();
  __syncthreads();
  c.finish(g.e, bn * BN, [&](int r) { return at.row(g, r); });
}

// Warps of 64x64 or, for BN = 64, 64x32.
#define CONV3(name, bf, bn, wn, per_sm) \
  extern "C" __global__ void __launch_bounds__(128, per_sm) name(const __grid_constant__ ConvArgs g) { conv3<bf, bn, wn>(g); } \
  TC_KERNEL(name)
CONV3(tc_conv3_f16_128, false, 128, 64, 2)
CONV3(tc_conv3_bf16_128, true, 128, 64, 2)
CONV3(tc_conv3_f16_64, false, 64, 32, 3)
CONV3(tc_conv3_bf16_64, true, 64, 32, 3)
