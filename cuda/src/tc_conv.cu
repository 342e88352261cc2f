// Half-precision convolution over NHWC as an implicit GEMM on tensor cores, sm_80 and up:
//   y[n,oy,ox,:] = act(conv(x, W) + bias + each + residual)
// for any kernel size, stride, padding and dilation, one group. Each tap reads its input
// anew: 3x3 with stride 1 has tc_conv3.cu, Hopper tc_convt90.cu.
//
// Launch: grid ceil(N·OH·OW/BM)·ceil(O/BN), block 128, dynamic shared
// memory TC_STAGES·(BM+BN)·64 bytes; BM = BN = 128 or 64.
//
// Input: x [N,H,W,C1] and, for a joined picture that is never written, x2 [N,H,W,C2]
// with C1 a multiple of 8. up = 1 reads a picture of 2H x 2W made by nearest
// neighbour; padding and OH, OW are of that picture.
// W: [O, KH·KW·Cp], Cp = C1+C2 rounded up to 8, zeros in the added channels.
// Rows of the result are pixels: Epilogue's ldc = O, each_rows = OH·OW.
// All pointers are multiples of 16 bytes but x's where C1 is no multiple of 8.
// Limits: elements of x, x2, W below 2^32; H, W, OH, OW below 2^15.
#include "tc_tile.h"

// Tap walks along K in steps of 32: the chunk of 8 channels and the kernel's
// position that this thread's chunk lies at.
struct Tap {
  int c8, ky, kx;
  DEV_M void start(int chunk, int per, int KW) {
    int tap = chunk / per;
    c8 = chunk - tap * per, ky = tap / KW, kx = tap - ky * KW;
  }
  DEV_M void next(int per, int KW) {
    c8 += 4;
    while (c8 >= per) {
      c8 -= per;
      if (++kx == KW) kx = 0, ky++;
    }
  }
};

template <bool BF, int BM, int BN, int WM, int WN> DEV void conv(const ConvArgs &g) {
  typedef Tile<BF, BM, BN, WM, WN> T;
  TC_SMEM(smem);
  constexpr int ST = TC_STAGES, RA = BM * 4 / T::NT, RB = BN * 4 / T::NT;
  smem_t s0 = smem_addr(smem);
  int C = g.C1 + g.C2, per = (C + 7) >> 3, Kp = g.KH * g.KW * per * 8, M = g.N * g.OH * g.OW;
  int t = threadIdx.x, bm, bn, mt = (M + BM - 1) / BM, nt = (g.O + BN - 1) / BN;
  tc_tile_at(blockIdx.x, mt, nt, &bm, &bn);
  int steps = (Kp + 31) / 32;
  int q = t & 3, r = t >> 2, Hu = g.H << g.up, Wu = g.Wd << g.up;
  bool wide1 = !(g.C1 & 7) && !((size_t)g.x & 15), wide2 = !(g.C2 & 7) && !((size_t)g.x2 & 15), wideW = !((size_t)g.W & 15);
  int image[RA], yx[RA]; // of each row: its picture, and the input position of its first tap
  uint32_t ob[RB];
#pragma unroll
  for (int i = 0; i < RA; i++) {
    int m = min(bm * BM + r + i * (T::NT / 4), M - 1), n = m / (g.OH * g.OW), p = m - n * g.OH * g.OW, oy = p / g.OW;
    image[i] = n;
    yx[i] = (int)((uint32_t)(oy * g.stride - g.padT) << 16 | ((uint32_t)((p - oy * g.OW) * g.stride - g.padL) & 0xffff));
  }
#pragma unroll
  for (int i = 0; i < RB; i++) ob[i] = (uint32_t)min(bn * BN + r + i * (T::NT / 4), g.O - 1) * Kp + q * 8;
  pdl_launch();
  pdl_wait();
  // pixel gives the input position of row i under tap k, or false for padding.
  auto pixel = [&](int i, const Tap &k, uint32_t *at) {
    int y = (yx[i] >> 16) + k.ky * g.dil, x = (int16_t)yx[i] + k.kx * g.dil;
    *at = (uint32_t)(image[i] * g.H + (y >> g.up)) * g.Wd + (x >> g.up);
    return (unsigned)y < (unsigned)Hu && (unsigned)x < (unsigned)Wu && k.ky < g.KH;
  };
  Tap in; // of the next load
  in.start(q, per, g.KW);
  auto load = [&](int stage, int kt) {
    smem_t sa = tc_chunk(s0 + stage * T::STAGE, r, q), sb = sa + T::A_BYTES;
    bool second = in.c8 * 8 >= g.C1;
    const uint16_t *x = (const uint16_t *)(second ? g.x2 : g.x);
    int c = in.c8 * 8 - (second ? g.C1 : 0), cs = second ? g.C2 : g.C1;
#pragma unroll
    for (int i = 0; i < RA; i++) {
      uint32_t at;
      bool ok = pixel(i, in, &at);
      tc_load8(sa + i * T::NT * 16, x + (ok ? at * cs + c : 0), ok ? cs - c : 0, second ? wide2 : wide1);
    }
    int left = Kp - kt * 32 - q * 8;
    uint32_t k = kt * 32;
#pragma unroll
    for (int i = 0; i < RB; i++) tc_load8(sb + i * T::NT * 16, (const uint16_t *)g.W + (left > 0 ? ob[i] + k : 0), left, wideW);
    in.next(per, g.KW);
  };
  T c;
#pragma unroll
  for (int s = 0; s < ST - 1; s++) {
    if (s < steps) load(s, s);
    cp_async_commit();
  }
  int at = 0, to = ST - 1;
  for (int kt = 0; kt < steps; kt++) {
    cp_async_wait<ST - 2>();
    __syncthreads();
    if (kt + ST - 1 < steps) load(to, kt + ST - 1);
    cp_async_commit();
    smem_t sa = s0 + at * T::STAGE;
    c.step(sa, sa + T::A_BYTES);
    at = at + 1 == ST ? 0 : at + 1, to = to + 1 == ST ? 0 : to + 1;
  }
  cp_async_wait<0>();
  __syncthreads();
  c.finish(g.e, bn * BN, [&](int r) { int m = bm * BM + r; return m < M ? m : -1; });
}

// Tiles as in tc_gemm.cu.
#define CONV(name, bf, bm, bn, wm, wn, per_sm) \
  extern "C" __global__ void __launch_bounds__(128, per_sm) name(const __grid_constant__ ConvArgs g) { conv<bf, bm, bn, wm, wn>(g); } \
  TC_KERNEL(name)
CONV(tc_conv_f16_128, false, 128, 128, 64, 64, 2)
CONV(tc_conv_bf16_128, true, 128, 128, 64, 64, 2)
CONV(tc_conv_f16_64, false, 64, 64, 32, 32, 4)
CONV(tc_conv_bf16_64, true, 64, 64, 32, 32, 4)
