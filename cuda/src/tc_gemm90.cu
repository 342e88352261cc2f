// The GEMM of tc_gemm.cu for Hopper (sm_90a), wgmma fed by TMA: see tc_flow90.h.
//
// Launch: grid min(tiles·splits, number of SMs), tiles = ceil(M/BM)·ceil(Nw/BN);
// block 384; dynamic shared memory STAGES·(BM+BN)·128 + 128 bytes:
//   kernel                 BM  BN  STAGES  bytes
//   *_128x128, *_turns128  128 128       7  229504
//   *_128x160, *_turns160  128 160       6  221312
//   *_256x128              256 128       4  196736
//   *_256x160              256 160       4  213120
// ta: tensor map of A, [M,K] with rows of lda; tw: of W, [Nw,K] with rows of ldw (K itself,
// not its padding, so that tails become zeros); half, box 64 x BM and 64 x BN, 128-byte
// swizzle. Rows must be multiples of 16 bytes. GemmArgs as there, without A and W; with
// OUT_TOP parts are of BN columns. With splits > 1, at most a split for each 64 of K, part holds splits·M·Nw
// floats, and tc_finish.cu makes the result of them.
//
// Widths of 160 fit SD's channels (320, 640, 1280, ...), 128 the rest. A tile of
// BM x BN takes BM·BN/32 cycles of the SM's tensor cores for each 64 of K and
// (BM+BN)·128 bytes from L2: 64 bytes a cycle for 128x128, 58 for 128x160, 48 for
// 256x128, 41 for 256x160.
#include "tc_flow90.h"

template <int BM, int BN> struct GemmWork {
  static constexpr bool TOP = true;
  const TMap *ta, *tw;
  const GemmArgs &g;
  int mt, nt, steps;
  DEV_M GemmWork(const TMap *ta, const TMap *tw, const GemmArgs &g) : ta(ta), tw(tw), g(g), mt((g.M + BM - 1) / BM), nt((g.Nw + BN - 1) / BN), steps((g.K + 63) / 64) {}
  DEV_M int items() const { return mt * nt * g.splits; }
  DEV_M Item item(int i) const {
    Item it;
    it.split = i / (mt * nt);
    tc_tile_at(i - it.split * mt * nt, mt, nt, &it.bm, &it.bn);
    tc_split(steps, g.splits, it.split, &it.k0, &it.k1);
    return it;
  }
  DEV_M void fetch() const { tma_fetch(ta), tma_fetch(tw); }
  DEV_M void loadA(const Item &it, int k, smem_t a, smem_t bar) const { tma_load(a, ta, bar, k * 64, it.bm * BM); }
  DEV_M void loadW(const Item &it, int k, smem_t w, smem_t bar) const { tma_load(w, tw, bar, k * 64, it.bn * BN); }
  DEV_M Epilogue epilogue(const Item &it) const { return g.splits > 1 ? tc_partial(g.part, it.split, g.M, g.Nw) : g.e; }
  DEV_M int row(const Item &it, int r) const {
    int m = it.bm * BM + r;
    return m < g.M ? m : -1;
  }
};

#define GEMM90(name, bf, mb, bn, st, turns) \
  extern "C" __global__ void __launch_bounds__(384, 1) name(const __grid_constant__ TMap ta, const __grid_constant__ TMap tw, const __grid_constant__ GemmArgs g) { \
    typedef Flow90<bf, mb, bn, st, turns> F; \
    F::run(GemmWork<F::BM, bn>(&ta, &tw, g)); \
  } \
  TC_KERNEL(name)
GEMM90(tc_gemm90_f16_128x128, false, 1, 128, 7, false)
GEMM90(tc_gemm90_bf16_128x128, true, 1, 128, 7, false)
GEMM90(tc_gemm90_f16_128x160, false, 1, 160, 6, false)
GEMM90(tc_gemm90_bf16_128x160, true, 1, 160, 6, false)
GEMM90(tc_gemm90_f16_256x128, false, 2, 128, 4, false)
GEMM90(tc_gemm90_bf16_256x128, true, 2, 128, 4, false)
GEMM90(tc_gemm90_f16_256x160, false, 2, 160, 4, false)
GEMM90(tc_gemm90_bf16_256x160, true, 2, 160, 4, false)
GEMM90(tc_gemm90_f16_turns128, false, 2, 128, 7, true)
GEMM90(tc_gemm90_bf16_turns128, true, 2, 128, 7, true)
GEMM90(tc_gemm90_f16_turns160, false, 2, 160, 6, true)
GEMM90(tc_gemm90_bf16_turns160, true, 2, 160, 6, true)
