// The end of a product whose sums were split along K: adds the splits in order, then
// what an epilogue does.
//
// Launch: grid ceil(M·ceil(Nw/8)/256), block 256, no shared memory. part: [splits][M][Nw]
// f32, Nw columns before a GEGLU, a multiple of 4.
#include "tc_tile.h"

struct FinishArgs {
  Epilogue e;
  const float *part;
  int M, Nw, splits, pad;
};
static_assert(sizeof(FinishArgs) == 88, "the host's layout");

// row adds up 8 columns of all splits.
DEV void finish_sum(const FinishArgs &g, size_t at, int left, float *v) {
  const float *p = g.part + at;
  size_t step = (size_t)g.M * g.Nw;
#pragma unroll 4
  for (int s = 0; s < g.splits; s++, p += step) {
    float4 a = ldg128f(p), b = left > 4 ? ldg128f(p + 4) : make_float4(0, 0, 0, 0);
    v[0] += a.x, v[1] += a.y, v[2] += a.z, v[3] += a.w, v[4] += b.x, v[5] += b.y, v[6] += b.z, v[7] += b.w;
  }
}
template <bool BF> DEV void finish(const FinishArgs &g) {
  int per = (g.Nw + 7) >> 3, i = blockIdx.x * 256 + threadIdx.x, m = i / per, n = (i - m * per) * 8;
  pdl_launch();
  pdl_wait();
  bool gated = g.e.flags & OUT_GEGLU;
  if (m >= g.M || (gated && n & 16)) return;
  float v[8] = {}, gate[8] = {};
  size_t at = (size_t)m * g.Nw + n;
  finish_sum(g, at, g.Nw - n, v);
  if (gated) finish_sum(g, at + 16, 8, gate);
  Output<BF, 128, 128, 64, 64, 128>::emit(g.e, m, n, v, gate);
}
extern "C" __global__ void __launch_bounds__(256) tc_finish_f16(const __grid_constant__ FinishArgs g) { finish<false>(g); }
TC_KERNEL(tc_finish_f16)
extern "C" __global__ void __launch_bounds__(256) tc_finish_bf16(const __grid_constant__ FinishArgs g) { finish<true>(g); }
TC_KERNEL(tc_finish_bf16)
