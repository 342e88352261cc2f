// The flow of a product on Hopper (sm_90a), which tc_gemm90.cu and tc_convt90.cu share:
// one thread has the copy engine bring tiles of A and W, two warpgroups multiply by wgmma;
// blocks stay and take item after item, so that copies for the next begin while one is
// written.
//
// The warpgroups share a tile of 128·MB rows, or, in turns (TURNS), each has a tile of
// 64·MB rows of its own: while one writes its tile the other multiplies. Turns suit short
// sums, whose tiles take as long to write as to multiply; shared tiles suit long ones: 256
// rows need two thirds of the bytes from L2.
#pragma once
#include "tc_tile.h"

// Item is a tile of the result and its share of the steps along K, 64 each.
struct Item { int bm, bn, k0, k1, split; };

// Work gives: items(); item(i); loadA(it, k, a, bar) and loadW(it, k, w, bar): step k of the
// item's tiles; fetch(): the maps; TOP: whether OUT_TOP may come; epilogue(it); row(it, r): the result's row of tile row
// r, or -1.
template <bool BF, int MB, int BN, int ST, bool TURNS> struct Flow90 {
  static constexpr int BM = (TURNS ? 64 : 128) * MB, A_BYTES = BM * 128, STAGE = A_BYTES + BN * 128;
  typedef Output<BF, BM, BN, 16 * MB, BN, TURNS ? 128 : 256, 64> Out;

  template <class Work> static DEV_M void run(const Work &work) {
    TC_SMEM(smem);
    smem_t s0 = smem_addr(smem), full = s0 + ST * STAGE, empty = full + ST * 8;
    if (threadIdx.x == 0) {
      for (int i = 0; i < ST; i++) mb_init(full + i * 8, 1), mb_init(empty + i * 8, TURNS ? 4 : 8); // a warp each
      mb_fence_init();
      work.fetch();
    }
    __syncthreads();
    pdl_launch();
    int stage = 0, phase = 0, items = work.items();
    auto next = [&] { if (++stage == ST) stage = 0, phase ^= 1; };
    if (threadIdx.x < 128) {
      regs_less<40>();
      if (threadIdx.x == 0) {
        // Weights don't depend on the launches before: the first ones come meanwhile.
        int ahead = 0;
        if ((int)blockIdx.x < items) {
          Item it = work.item(blockIdx.x);
          for (; ahead < ST && it.k0 + ahead < it.k1; ahead++) {
            mb_expect(full + ahead * 8, STAGE);
            work.loadW(it, it.k0 + ahead, s0 + ahead * STAGE + A_BYTES, full + ahead * 8);
          }
        }
        pdl_wait();
        for (int i = blockIdx.x; i < items; i += gridDim.x) {
          Item it = work.item(i);
          for (int k = it.k0; k < it.k1; k++, next()) {
            if (ahead) ahead--;
            else {
              mb_wait(empty + stage * 8, phase ^ 1);
              mb_expect(full + stage * 8, STAGE);
              work.loadW(it, k, s0 + stage * STAGE + A_BYTES, full + stage * 8);
            }
            work.loadA(it, k, s0 + stage * STAGE, full + stage * 8);
          }
        }
      }
      return;
    }
    regs_more<232>();
    pdl_wait();
    int t = threadIdx.x - 128, wg = t >> 7, w = t >> 5 & 3, turn = 0;
    for (int i = blockIdx.x; i < items; i += gridDim.x, turn ^= 1) {
      Item it = work.item(i);
      if (TURNS && turn != wg) { // the other's stages
        int ahead = stage + it.k1 - it.k0;
        phase ^= ahead / ST & 1, stage = ahead % ST;
        continue;
      }
      typename Out::Acc acc = {};
      smem_t last = 0;
      int tid = TURNS ? t & 127 : t, wm = (TURNS ? 0 : wg * MB * 64) + w * 16;
      auto row = [&](int r) { return work.row(it, r); };
      // A stage's parity tells one round from the next, not from the one after: nobody
      // may wait for it before the other's products are done.
      if (TURNS && i != (int)blockIdx.x) bar_sync<256>(2 + wg);
      for (int k = it.k0; k < it.k1; k++, next()) {
        mb_wait(full + stage * 8, phase);
        smem_t a = s0 + stage * STAGE + (TURNS ? 0 : wg * MB * 8192), b = s0 + stage * STAGE + A_BYTES;
        wgmma_fence();
#pragma unroll
        for (int kk = 0; kk < 4; kk++)
#pragma unroll
          for (int j = 0; j < MB; j++) wgmma<BF, BN>(&acc[j][0][0], wg_desc(a + j * 8192 + kk * 32), wg_desc(b + kk * 32));
        wgmma_commit();
        wgmma_wait<1>(); // the step before is done: its stage is free
        if (last && (t & 31) == 0) mb_arrive(last);
        last = empty + stage * 8;
      }
      wgmma_wait<0>();
      regs_fence(&acc[0][0][0], MB * BN / 2);
      if (last && (t & 31) == 0) mb_arrive(last);
      if (TURNS && i + (int)gridDim.x < items) bar_arrive<256>(2 + (wg ^ 1));
      Epilogue e = work.epilogue(it);
      if (Work::TOP && e.flags & OUT_TOP) Out::top(acc, tid, wm, 0, e, it.bn * BN, row);
      else Out::run(acc, tid, wm, 0, e, it.bn * BN, row);
    }
  }
};
