// The GEMM of tc_gemm.cu for Hopper: wgmma fed by TMA (sm_90a). One warpgroup's first
// thread copies tiles, two warpgroups multiply; blocks stay and take tile after tile,
// so copies for the next begin while this one is written.
//
// Launch: grid min(tiles·splits, number of SMs), tiles = ceil(M/BM)·ceil(Nw/BN);
// block 384; dynamic shared memory STAGES·(BM+BN)·128 + 20480 + 128 bytes:
//   kernel            BM  BN  STAGES  bytes
//   *_128x128        128 128       6  217216
//   *_128x160        128 160       5  204928
//   *_256x128        256 128       4  217216
//   *_256x160        256 160       3  180352
// ta: tensor map of A, [M,K] with rows of lda; tw: of W, [Nw,K] with rows of ldw (K itself,
// not its padding, so that tails become zeros); half, box 64 x BM and 64 x BN, 128-byte
// swizzle. Rows must be multiples of 16 bytes. GemmArgs as there, without A, W and
// batches; part holds tiles·splits·BM·BN floats, count tiles zeros.
//
// Widths of 160 fit SD's channels (320, 640, 1280, ...), 128 the rest. A tile of
// BM x BN takes BM·BN/32 cycles of the SM's tensor cores for each 64 of K and
// (BM+BN)·128 bytes from L2: 64 bytes a cycle for 128x128, 58 for 128x160, 48 for
// 256x128, 41 for 256x160, so take 256 rows where tiles still fill the chip.
#include "tc_tile.h"

template <bool BF, int MB, int BN, int ST> DEV void gemm90(const TMap *ta, const TMap *tw, const GemmArgs &g) {
  constexpr int BM = 128 * MB, A_BYTES = BM * 128, STAGE = A_BYTES + BN * 128;
  typedef Output<BF, BM, BN, 16 * MB, BN, 256, 64> Out;
  TC_SMEM(smem);
  smem_t s0 = smem_addr(smem), out = s0 + ST * STAGE, full = out + Out::BYTES, empty = full + ST * 8;
  int mt = (g.M + BM - 1) / BM, nt = (g.Nw + BN - 1) / BN, tiles = mt * nt, steps = (g.K + 63) / 64;
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
      for (int item = blockIdx.x; item < tiles * g.splits; item += gridDim.x) {
        int bm, bn, k0, k1;
        tc_tile_at(item % tiles, mt, nt, &bm, &bn);
        tc_split(steps, g.splits, item / tiles, &k0, &k1);
        for (int k = k0; k < k1; k++, next()) {
          mb_wait(empty + stage * 8, phase ^ 1);
          mb_expect(full + stage * 8, STAGE);
          tma_load(s0 + stage * STAGE, ta, full + stage * 8, k * 64, bm * BM);
          tma_load(s0 + stage * STAGE + A_BYTES, tw, full + stage * 8, k * 64, bn * BN);
        }
      }
    }
  } else {
    regs_more<232>();
    int t = threadIdx.x - 128, wg = t >> 7, w = t >> 5 & 3;
    for (int item = blockIdx.x; item < tiles * g.splits; item += gridDim.x) {
      int bm, bn, k0, k1, tile = item % tiles, split = item / tiles;
      tc_tile_at(tile, mt, nt, &bm, &bn);
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
      Out::run(acc, out, t, wg * MB * 64 + w * 16, 0, g.e, bn * BN, [&](int r) { int m = bm * BM + r; return m < g.M ? m : -1; },
               g.part + (size_t)tile * g.splits * BM * BN, g.count + tile, split, g.splits);
    }
  }
}

#define GEMM90(name, bf, mb, bn, st) \
  extern "C" __global__ void __launch_bounds__(384, 1) name(const __grid_constant__ TMap ta, const __grid_constant__ TMap tw, const __grid_constant__ GemmArgs g) { \
    gemm90<bf, mb, bn, st>(&ta, &tw, g); \
  } \
  TC_KERNEL(name)
GEMM90(tc_gemm90_f16_128x128, false, 1, 128, 6)
GEMM90(tc_gemm90_bf16_128x128, true, 1, 128, 6)
GEMM90(tc_gemm90_f16_128x160, false, 1, 160, 5)
GEMM90(tc_gemm90_bf16_128x160, true, 1, 160, 5)
GEMM90(tc_gemm90_f16_256x128, false, 2, 128, 4)
GEMM90(tc_gemm90_bf16_256x128, true, 2, 128, 4)
GEMM90(tc_gemm90_f16_256x160, false, 2, 160, 3)
GEMM90(tc_gemm90_bf16_256x160, true, 2, 160, 3)
