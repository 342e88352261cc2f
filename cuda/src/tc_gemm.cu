// Half-precision GEMM on tensor cores, sm_80 and up:
//   C[M,N] = act(alpha·A[M,K]·W[N,K]ᵀ + bias + residual), f32 accumulation.
//
// Launch: grid ceil(M/BM)·ceil(Nw/BN), block 128, dynamic shared memory
// stages·(BM+BN)·64 bytes (TC_STAGES: 3 on sm_86 and sm_89, else 4); BM = BN = 128 or
// 64. Nw is N, or for GEGLU W's rows. With OUT_TOP parts are of BN/2 columns.
//
// A: rows lda elements apart. W: row-major [Nw, ldw]; weights are packed with ldw =
// K rounded up to 8. A row whose length or address isn't a multiple of 16 bytes
// is read element by element: right, but slow.
// GEGLU: C = N value columns times GELU of N gate columns. Nw = 32·ceil(N/16): W and
// bias hold, for each 16 outputs, 16 value rows and then their 16 gate rows, zeros
// where N ends.
// Limits: M·lda, Nw·ldw below 2^31 elements.
#include "tc_tile.h"

template <bool BF, int BM, int BN, int WM, int WN> DEV void gemm(const GemmArgs &g) {
  typedef Tile<BF, BM, BN, WM, WN> T;
  TC_SMEM(smem);
  constexpr int ST = TC_STAGES, RA = BM * 4 / T::NT, RB = BN * 4 / T::NT; // chunks a thread loads
  smem_t s0 = smem_addr(smem);
  int t = threadIdx.x, bm, bn, mt = (g.M + BM - 1) / BM, nt = (g.Nw + BN - 1) / BN;
  tc_tile_at(blockIdx.x, mt, nt, &bm, &bn);
  int steps = (g.K + 31) / 32;
  pdl_launch();
  pdl_wait();
  const uint16_t *A = (const uint16_t *)g.A, *W = (const uint16_t *)g.W;
  bool wideA = !(g.lda & 7) && !((size_t)g.A & 15), wideW = !(g.ldw & 7) && !((size_t)g.W & 15);
  // A thread loads chunk q of rows t/4, t/4 + NT/4, ...; rows beyond the matrix
  // repeat its last one, and their results are not written.
  int q = t & 3, r = t >> 2;
  uint32_t oa[RA], ob[RB];
#pragma unroll
  for (int i = 0; i < RA; i++) oa[i] = (uint32_t)min(bm * BM + r + i * (T::NT / 4), g.M - 1) * g.lda + q * 8;
#pragma unroll
  for (int i = 0; i < RB; i++) ob[i] = (uint32_t)min(bn * BN + r + i * (T::NT / 4), g.Nw - 1) * g.ldw + q * 8;
  auto load = [&](int stage, int kt) {
    smem_t sa = tc_chunk(s0 + stage * T::STAGE, r, q), sb = sa + T::A_BYTES;
    int left = g.K - kt * 32 - q * 8;
    uint32_t k = left > 0 ? kt * 32 : 0; // past K nothing is read, but the address stays inside
#pragma unroll
    for (int i = 0; i < RA; i++) tc_load8(sa + i * T::NT * 16, A + (left > 0 ? oa[i] + k : 0), left, wideA);
#pragma unroll
    for (int i = 0; i < RB; i++) tc_load8(sb + i * T::NT * 16, W + (left > 0 ? ob[i] + k : 0), left, wideW);
  };
  T c;
#pragma unroll
  for (int s = 0; s < ST - 1; s++) {
    if (s < steps) load(s, s);
    cp_async_commit();
  }
  int at = 0, in = ST - 1;
  for (int kt = 0; kt < steps; kt++) {
    cp_async_wait<ST - 2>();
    __syncthreads();
    if (kt + ST - 1 < steps) load(in, kt + ST - 1);
    cp_async_commit();
    smem_t sa = s0 + at * T::STAGE;
    c.step(sa, sa + T::A_BYTES);
    at = at + 1 == ST ? 0 : at + 1, in = in + 1 == ST ? 0 : in + 1;
  }
  cp_async_wait<0>();
  __syncthreads();
  auto row = [&](int r) { int m = bm * BM + r; return m < g.M ? m : -1; };
  if (g.e.flags & OUT_TOP) c.top(g.e, bn * BN, row);
  else c.finish(g.e, bn * BN, row);
}

// 128x128: four warps of 64x64. A warp reads 8 ldmatrix (32 cycles of shared
// memory) for 32 mma (64 cycles of the SM's tensor cores on sm_80), so shared
// memory keeps up; 128 sums and about 60 other registers a thread leave two
// blocks an SM. 64x64: four warps of 32x32, four or five blocks an SM, for matrices
// that would fill too few SMs with 128x128.
#define GEMM(name, bf, bm, bn, wm, wn, per_sm) \
  extern "C" __global__ void __launch_bounds__(128, per_sm) name(const __grid_constant__ GemmArgs g) { gemm<bf, bm, bn, wm, wn>(g); } \
  TC_KERNEL(name)
GEMM(tc_gemm_f16_128, false, 128, 128, 64, 64, 2)
GEMM(tc_gemm_bf16_128, true, 128, 128, 64, 64, 2)
GEMM(tc_gemm_f16_64, false, 64, 64, 32, 32, 5)
GEMM(tc_gemm_bf16_64, true, 64, 64, 32, 32, 5)
