// The 3x3 convolution with stride 1 for Hopper (sm_90a): the same result as
// tc_conv.cu for KH = KW = 3, stride 1, dil 1 and C1, C2 multiples of 64.
//
// A block makes 128 pixels (8 wide) x BN channels. Three warps bring the pixels' patch with
// its border, 64 channels at a time, normalise it once and keep it in shared memory for
// all nine taps; one thread brings weights by TMA; two warpgroups read shifted rows of
// the patch by ldmatrix and multiply by wgmma, A in registers. So the input crosses L2
// about 1.4 times instead of 9, its activation is computed 1.4 times instead of 9, and
// padding costs nothing. Blocks stay and take tile after tile.
//
// Launch: grid min(tiles·splits, number of SMs); tiles = ceil(OW/8)·ceil(OH/th)·ceil(N/tn)
// · ceil(O/BN), th x tn = 16 x 1 if OH > 8, else 8 x 2; splits <= (C1+C2)/64; block 384;
// dynamic shared memory 51200 + 6·BN·128 + 16 + 128 bytes: 149648 for BN = 128, 174224
// for 160. tw: tensor map of W, [O, 9·(C1+C2)], half, box 64 x BN, 128-byte swizzle.
// ConvArgs as there, without W; scale null for no normalisation; g.splits of the
// launch; part holds tiles·splits·128·BN floats, count tiles zeros.
//
// Per 64 channels the tensor cores need 72·BN cycles·64/128 = 36·BN: 5760 for
// 160. In that time the three warps move at most 200 pixels of 128 bytes, 17 chunks a
// thread, and the TMA 9·BN·128 bytes: 32 + 4 bytes a cycle from L2. 168 registers a
// thread hold 80 sums and two taps of A: no other split of the registers is needed.
#include "tc_tile.h"

template <bool BF, int BN> DEV void conv90(const TMap *tw, const ConvArgs &g) {
  constexpr int PATCH = Place::PIXELS * 128, ST = 6, STAGE = BN * 128;
  typedef Output<BF, 128, BN, 16, BN, 256, 64> Out;
  TC_SMEM(smem);
  smem_t sw = smem_addr(smem), patch = sw + ST * STAGE, out = patch + 2 * PATCH;
  smem_t full = out + 16, empty = full + ST * 8, fullA = empty + ST * 8, emptyA = fullA + 16;
  int C = g.C1 + g.C2, blocks = C >> 6, mt = Place::count(g), nt = (g.O + BN - 1) / BN, tiles = mt * nt;
  if (threadIdx.x == 0) {
    for (int i = 0; i < ST; i++) mb_init(full + i * 8, 1), mb_init(empty + i * 8, 8);
    for (int i = 0; i < 2; i++) mb_init(fullA + i * 8, 96), mb_init(emptyA + i * 8, 8);
    mb_fence_init();
  }
  __syncthreads();
  pdl_launch();
  pdl_wait();
  int stage = 0, phase = 0, buf = 0, phaseA = 0;
  auto next = [&] { if (++stage == ST) stage = 0, phase ^= 1; };
  auto nextA = [&] { buf ^= 1, phaseA ^= buf ^ 1; };
  if (threadIdx.x < 32) { // weights
    if (threadIdx.x == 0) {
      for (int item = blockIdx.x; item < tiles * g.splits; item += gridDim.x) {
        int bm, bn, b0, b1;
        tc_tile_at(item % tiles, mt, nt, &bm, &bn);
        tc_split(blocks, g.splits, item / tiles, &b0, &b1);
        for (int b = b0; b < b1; b++)
          for (int tap = 0; tap < 9; tap++, next()) {
            mb_wait(empty + stage * 8, phase ^ 1);
            mb_expect(full + stage * 8, STAGE);
            tma_load(sw + stage * STAGE, tw, full + stage * 8, tap * C + b * 64, bn * BN);
          }
      }
    }
  } else if (threadIdx.x < 128) { // the patch: chunk q of pixels first, first + 12, ...
    int t = threadIdx.x - 32, q = t & 7, first = t >> 3;
    for (int item = blockIdx.x; item < tiles * g.splits; item += gridDim.x) {
      int bm, bn, b0, b1;
      tc_tile_at(item % tiles, mt, nt, &bm, &bn);
      tc_split(blocks, g.splits, item / tiles, &b0, &b1);
      Place at;
      at.start(g, bm);
      int pixels = at.pixels();
      for (int b = b0; b < b1; b++, nextA()) {
        int c = b * 64 + q * 8;
        bool second = c >= g.C1;
        const uint16_t *x = (const uint16_t *)(second ? g.x2 : g.x) + (second ? c - g.C1 : c);
        int cs = second ? g.C2 : g.C1;
        mb_wait(emptyA + buf * 8, phaseA ^ 1);
#pragma unroll 1
        for (int p0 = first; p0 < pixels; p0 += 48) {
          uint4 v[4];
          int image[4];
#pragma unroll
          for (int i = 0; i < 4; i++) { // four loads under way
            uint32_t from;
            bool ok = at.source(g, p0 + i * 12, &image[i], &from);
            v[i] = ok ? ldg128(x + (size_t)from * cs) : make_uint4(0, 0, 0, 0);
            if (!ok) image[i] = -1;
          }
#pragma unroll
          for (int i = 0; i < 4; i++) {
            int p = p0 + i * 12;
            if (p >= pixels) break;
            if (g.scale && image[i] >= 0) v[i] = tc_normalise<BF>(v[i], g.scale + (size_t)image[i] * C + c, g.shift + (size_t)image[i] * C + c, g.norm_act);
            sts128(patch + buf * PATCH + p * 128 + ((q ^ (p & 7)) << 4), v[i]);
          }
        }
        mb_arrive(fullA + buf * 8);
      }
    }
  } else { // products
    int t = threadIdx.x - 128, lane = t & 31, row = (t >> 5) * 16 + (lane & 15); // the pixel whose row of A this lane addresses
    for (int item = blockIdx.x; item < tiles * g.splits; item += gridDim.x) {
      int bm, bn, b0, b1, tile = item % tiles, split = item / tiles;
      tc_tile_at(tile, mt, nt, &bm, &bn);
      tc_split(blocks, g.splits, split, &b0, &b1);
      Place at;
      at.start(g, bm);
      int corner = at.corner(row);
      typename Out::Acc acc = {};
      for (int b = b0; b < b1; b++, nextA()) {
        mb_wait(fullA + buf * 8, phaseA);
        smem_t last = 0;
        uint32_t a[2][4][4];
#pragma unroll
        for (int tap = 0; tap < 9; tap++, next()) {
          int p = corner + tap / 3 * Place::PW + tap % 3;
          smem_t pa = patch + buf * PATCH + p * 128;
#pragma unroll
          for (int kk = 0; kk < 4; kk++) ldmatrix4(a[tap & 1][kk], pa + (((kk * 2 + (lane >> 4)) ^ (p & 7)) << 4));
          mb_wait(full + stage * 8, phase);
          wgmma_fence();
#pragma unroll
          for (int kk = 0; kk < 4; kk++) wgmma_a<BF, BN>(&acc[0][0][0], a[tap & 1][kk], wg_desc(sw + stage * STAGE + kk * 32));
          wgmma_commit();
          if (tap < 8) wgmma_wait<1>(); // the tap before is done
          else wgmma_wait<0>();
          if (last && lane == 0) mb_arrive(last);
          last = empty + stage * 8;
        }
        if (lane == 0) mb_arrive(last), mb_arrive(emptyA + buf * 8);
      }
      Out::run(acc, out, t, (t >> 5) * 16, 0, g.e, bn * BN,
               [&](int r) { return at.row(g, r); },
               g.part + (size_t)tile * g.splits * 128 * BN, g.count + tile, split, g.splits);
    }
  }
}

#define CONV90(name, bf, bn) \
  extern "C" __global__ void __launch_bounds__(384, 1) name(const __grid_constant__ TMap tw, const __grid_constant__ ConvArgs g) { conv90<bf, bn>(&tw, g); } \
  TC_KERNEL(name)
CONV90(tc_conv90_f16_128, false, 128)
CONV90(tc_conv90_bf16_128, true, 128)
CONV90(tc_conv90_f16_160, false, 160)
CONV90(tc_conv90_bf16_160, true, 160)
