// Convolution for Hopper (sm_90a) as the GEMM of tc_gemm90.cu: for each tap the copy
// engine brings a box of pixels, moved by the tap, whose rows of 64 channels are rows of
// A; what lies outside the picture is zero. Any kernel size, stride and dilation; the
// input is as it is, normalised beforehand where need be.
//
// Launch: grid min(tiles·splits, number of SMs), tiles = ceil(OW/bw)·ceil(OH/bh)·ceil(N/bn)
// · ceil(O/BN) with bw·bh·bn = BM, powers of two; block 384; shared memory as
// tc_gemm90.cu's kernels of the same tile.
// ta, tb: tensor maps of x [N,H,W,C1] and x2 [N,H,W,C2] (x again where C2 is 0), four
// dimensions, half, box 64 x bw·stride x bh·stride x bn, steps of stride over pixels
// and rows, 128-byte swizzle; tw: of W, [O, KH·KW·(C1+C2)], box 64 x BN. C1 and C2 are
// multiples of 64. ConvArgs as in tc_conv.cu, without x, x2, W, scale and count; box is bw +
// 65536·bh. With splits > 1 blocks share a tile's sums along K: part holds
// splits·N·OH·OW·O floats, and tc_finish.cu makes the result of them.
#include "tc_tile.h"

template <bool BF, int MB, int BN, int ST> DEV void convt90(const TMap *ta, const TMap *tb, const TMap *tw, const ConvArgs &g) {
  constexpr int BM = 128 * MB, A_BYTES = BM * 128, STAGE = A_BYTES + BN * 128;
  typedef Output<BF, BM, BN, 16 * MB, BN, 256, 64> Out;
  TC_SMEM(smem);
  smem_t s0 = smem_addr(smem), out = s0 + ST * STAGE, full = out + Out::BYTES, empty = full + ST * 8;
  int bw = g.box & 0xffff, bh = g.box >> 16, images = BM / (bw * bh);
  int wide = (g.OW + bw - 1) / bw, high = (g.OH + bh - 1) / bh, mt = wide * high * ((g.N + images - 1) / images), nt = (g.O + BN - 1) / BN, tiles = mt * nt;
  int blocks = (g.C1 + g.C2) >> 6, steps = g.KH * g.KW * blocks, items = tiles * g.splits;
  if (threadIdx.x == 0) {
    for (int i = 0; i < ST; i++) mb_init(full + i * 8, 1), mb_init(empty + i * 8, 8); // a warp each
    mb_fence_init();
  }
  __syncthreads();
  pdl_launch();
  pdl_wait();
  int stage = 0, phase = 0;
  auto next = [&] { if (++stage == ST) stage = 0, phase ^= 1; };
  if (threadIdx.x < 128) {
    regs_less<40>();
    if (threadIdx.x == 0) {
      for (int item = blockIdx.x; item < items; item += gridDim.x) {
        int bm, bn, k0, k1;
        tc_tile_at(item % tiles, mt, nt, &bm, &bn);
        tc_split(steps, g.splits, item / tiles, &k0, &k1);
        int x = bm % wide * bw * g.stride - g.padL, y = bm / wide % high * bh * g.stride - g.padT, n = bm / wide / high * images;
        int tap = k0 / blocks, b = k0 - tap * blocks, ky = tap / g.KW, kx = tap - ky * g.KW;
        for (int k = k0; k < k1; k++, next()) {
          int c = b * 64;
          bool second = c >= g.C1;
          mb_wait(empty + stage * 8, phase ^ 1);
          mb_expect(full + stage * 8, STAGE);
          tma_load4(s0 + stage * STAGE, second ? tb : ta, full + stage * 8, second ? c - g.C1 : c, x + kx * g.dil, y + ky * g.dil, n);
          tma_load(s0 + stage * STAGE + A_BYTES, tw, full + stage * 8, k * 64, bn * BN);
          if (++b == blocks) {
            b = 0;
            if (++kx == g.KW) kx = 0, ky++;
          }
        }
      }
    }
  } else {
    regs_more<232>();
    int t = threadIdx.x - 128, wg = t >> 7, w = t >> 5 & 3;
    for (int item = blockIdx.x; item < items; item += gridDim.x) {
      int bm, bn, k0, k1, split = item / tiles;
      tc_tile_at(item % tiles, mt, nt, &bm, &bn);
      tc_split(steps, g.splits, split, &k0, &k1);
      typename Out::Acc acc = {};
      smem_t last = 0;
      for (int k = k0; k < k1; k++, next()) {
        mb_wait(full + stage * 8, phase);
        smem_t a = s0 + stage * STAGE + wg * MB * 8192, b = s0 + stage * STAGE + A_BYTES;
        wgmma_fence();
#pragma unroll
        for (int kk = 0; kk < 4; kk++)
#pragma unroll
          for (int i = 0; i < MB; i++) wgmma<BF, BN>(&acc[i][0][0], wg_desc(a + i * 8192 + kk * 32), wg_desc(b + kk * 32));
        wgmma_commit();
        wgmma_wait<1>(); // the step before is done: its stage is free
        if (last && (t & 31) == 0) mb_arrive(last);
        last = empty + stage * 8;
      }
      wgmma_wait<0>();
      if (last && (t & 31) == 0) mb_arrive(last);
      int x = bm % wide * bw, y = bm / wide % high * bh, n = bm / wide / high * images;
      Epilogue e = g.e;
      if (g.splits > 1) e = tc_partial(g.part, split, g.N * g.OH * g.OW, g.O);
      Out::run(acc, out, t, wg * MB * 64 + w * 16, 0, e, bn * BN, [&](int r) {
        int px = x + r % bw, py = y + r / bw % bh, pn = n + r / (bw * bh);
        return px < g.OW && py < g.OH && pn < g.N ? (pn * g.OH + py) * g.OW + px : -1;
      }, nullptr, nullptr, 0, 1);
    }
  }
}

#define CONVT90(name, bf, mb, bn, st) \
  extern "C" __global__ void __launch_bounds__(384, 1) name(const __grid_constant__ TMap ta, const __grid_constant__ TMap tb, const __grid_constant__ TMap tw, \
                                                            const __grid_constant__ ConvArgs g) { \
    convt90<bf, mb, bn, st>(&ta, &tb, &tw, g); \
  } \
  TC_KERNEL(name)
CONVT90(tc_convt90_f16_128x128, false, 1, 128, 6)
CONVT90(tc_convt90_bf16_128x128, true, 1, 128, 6)
CONVT90(tc_convt90_f16_128x160, false, 1, 160, 5)
CONVT90(tc_convt90_bf16_128x160, true, 1, 160, 5)
CONVT90(tc_convt90_f16_256x128, false, 2, 128, 4)
CONVT90(tc_convt90_bf16_256x128, true, 2, 128, 4)
CONVT90(tc_convt90_f16_256x160, false, 2, 160, 3)
CONVT90(tc_convt90_bf16_256x160, true, 2, 160, 3)
