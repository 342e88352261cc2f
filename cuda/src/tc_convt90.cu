// Convolution for Hopper (sm_90a) as the GEMM of tc_gemm90.cu (the flow is tc_flow90.h's):
// for each tap the copy engine brings a box of pixels, moved by the tap, whose rows of 64 channels are rows of
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
#include "tc_flow90.h"

template <int BM, int BN> struct ConvWork {
  static constexpr bool TOP = false;
  const TMap *ta, *tb, *tw;
  const ConvArgs &g;
  int bw, bh, lw, lh, images, wide, high, mt, nt, blocks;
  DEV_M ConvWork(const TMap *ta, const TMap *tb, const TMap *tw, const ConvArgs &g) : ta(ta), tb(tb), tw(tw), g(g), bw(g.box & 0xffff), bh(g.box >> 16) {
    lw = __ffs(bw) - 1, lh = __ffs(bh) - 1, images = BM >> (lw + lh), wide = (g.OW + bw - 1) / bw, high = (g.OH + bh - 1) / bh;
    mt = wide * high * ((g.N + images - 1) / images), nt = (g.O + BN - 1) / BN, blocks = (g.C1 + g.C2) >> 6;
  }
  DEV_M int items() const { return mt * nt * g.splits; }
  DEV_M Item item(int i) const {
    Item it;
    it.split = i / (mt * nt);
    tc_tile_at(i - it.split * mt * nt, mt, nt, &it.bm, &it.bn);
    tc_split(g.KH * g.KW * blocks, g.splits, it.split, &it.k0, &it.k1);
    return it;
  }
  DEV_M void corner(const Item &it, int *x, int *y, int *n) const {
    int r = it.bm / wide;
    *x = (it.bm - r * wide) * bw, *n = r / high * images, *y = (r - r / high * high) * bh;
  }
  DEV_M void fetch() const { tma_fetch(ta), tma_fetch(tw); }
  DEV_M void loadW(const Item &it, int k, smem_t w, smem_t bar) const { tma_load(w, tw, bar, k * 64, it.bn * BN); }
  DEV_M void loadA(const Item &it, int k, smem_t a, smem_t bar) const {
    int x, y, n, tap = k / blocks, c = (k - tap * blocks) * 64, ky = tap / g.KW, kx = tap - ky * g.KW;
    corner(it, &x, &y, &n);
    bool second = c >= g.C1;
    tma_load4(a, second ? tb : ta, bar, second ? c - g.C1 : c, x * g.stride - g.padL + kx * g.dil, y * g.stride - g.padT + ky * g.dil, n);
  }
  DEV_M Epilogue epilogue(const Item &it) const { return g.splits > 1 ? tc_partial(g.part, it.split, g.N * g.OH * g.OW, g.O) : g.e; }
  DEV_M int row(const Item &it, int r) const {
    int x, y, n;
    corner(it, &x, &y, &n);
    x += r & (bw - 1), y += r >> lw & (bh - 1), n += r >> (lw + lh);
    return x < g.OW && y < g.OH && n < g.N ? (n * g.OH + y) * g.OW + x : -1;
  }
};

#define CONVT90(name, bf, mb, bn, st, turns) \
  extern "C" __global__ void __launch_bounds__(384, 1) name(const __grid_constant__ TMap ta, const __grid_constant__ TMap tb, const __grid_constant__ TMap tw, \
                                                            const __grid_constant__ ConvArgs g) { \
    typedef Flow90<bf, mb, bn, st, turns> F; \
    F::run(ConvWork<F::BM, bn>(&ta, &tb, &tw, g)); \
  } \
  TC_KERNEL(name)
CONVT90(tc_convt90_f16_128x128, false, 1, 128, 7, false)
CONVT90(tc_convt90_bf16_128x128, true, 1, 128, 7, false)
CONVT90(tc_convt90_f16_128x160, false, 1, 160, 6, false)
CONVT90(tc_convt90_bf16_128x160, true, 1, 160, 6, false)
CONVT90(tc_convt90_f16_256x128, false, 2, 128, 4, false)
CONVT90(tc_convt90_bf16_256x128, true, 2, 128, 4, false)
CONVT90(tc_convt90_f16_256x160, false, 2, 160, 4, false)
CONVT90(tc_convt90_bf16_256x160, true, 2, 160, 4, false)
CONVT90(tc_convt90_f16_turns128, false, 2, 128, 7, true)
CONVT90(tc_convt90_bf16_turns128, true, 2, 128, 7, true)
CONVT90(tc_convt90_f16_turns160, false, 2, 160, 6, true)
CONVT90(tc_convt90_bf16_turns160, true, 2, 160, 6, true)
