// The GEMM of tc_gemm.cu for a few rows of A, where only reading W matters: a
// decoder's step. f32 FMAs, every byte of W read once for 4 rows.
//
// Launch: grid (ceil(N/16), ceil(M/R)), block 128, no shared memory; R = 1 or 4 rows a
// pass. GemmArgs and layouts as there; no GEGLU, batches or splits. W's rows must be
// multiples of 16 bytes, with zeros from K on.
//
// A warp makes 4 columns: each lane keeps 4·UNROLL loads of 16 bytes under way, so 16
// columns a block and a matrix of 768 x 768 is 48 blocks with 12 KB in flight each.
// The sum's order is fixed by K alone.
#include "tc_tile.h"

template <bool BF, int R> DEV void gemv(const GemmArgs &g) {
  int lane = threadIdx.x & 31, n0 = blockIdx.x * 16 + (threadIdx.x >> 5) * 4, m0 = blockIdx.y * R, CC = (g.K + 7) >> 3;
  if (n0 >= g.Nw) return;
  const uint16_t *W[4], *A[R];
#pragma unroll
  for (int j = 0; j < 4; j++) W[j] = (const uint16_t *)g.W + (size_t)min(n0 + j, g.Nw - 1) * g.ldw;
#pragma unroll
  for (int i = 0; i < R; i++) A[i] = (const uint16_t *)g.A + (size_t)min(m0 + i, g.M - 1) * g.lda;
  bool wide = !(g.lda & 7) && !((size_t)g.A & 15);
  float s[R][4] = {};
  pdl_launch();
  pdl_wait();
#pragma unroll 3
  for (int c = lane; c < CC; c += 32) {
    uint4 w[4];
#pragma unroll
    for (int j = 0; j < 4; j++) w[j] = ldg128(W[j] + c * 8);
    float a[R][8];
#pragma unroll
    for (int i = 0; i < R; i++) {
      if (wide && c * 8 + 8 <= g.K) unpack8<BF>(a[i], ldg128(A[i] + c * 8));
      else {
#pragma unroll
        for (int k = 0; k < 8; k++) a[i][k] = c * 8 + k < g.K ? unpack<BF>(A[i][c * 8 + k]) : 0.0f;
      }
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float v[8];
      unpack8<BF>(v, w[j]);
#pragma unroll
      for (int i = 0; i < R; i++)
#pragma unroll
        for (int k = 0; k < 8; k++) s[i][j] += a[i][k] * v[k];
    }
  }
  float mine = 0;
#pragma unroll
  for (int i = 0; i < R; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float v = s[i][j];
#pragma unroll
      for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
      if (lane == i * 4 + j) mine = v;
    }
  int m = m0 + (lane >> 2), n = n0 + (lane & 3);
  const Epilogue &e = g.e;
  if (lane >= 4 * R || m >= g.M || n >= e.N) return;
  mine = mine * e.alpha + (e.bias ? e.bias[n] : 0.0f);
  if (e.each) mine += unpack<BF>(((const uint16_t *)e.each)[(size_t)(m / e.each_rows) * e.N + n]);
  if (e.R) mine += unpack<BF>(((const uint16_t *)e.R)[(size_t)m * e.ldr + n]);
  mine = tc_act(e.act, mine);
  if (e.flags & OUT_F32) ((float *)e.C)[(size_t)m * e.ldc + n] = mine;
  else ((uint16_t *)e.C)[(size_t)m * e.ldc + n] = (uint16_t)pack2<BF>(mine, 0);
}

#define GEMV(name, bf, r) \
  extern "C" __global__ void __launch_bounds__(128, 4) name(const __grid_constant__ GemmArgs g) { gemv<bf, r>(g); } \
  TC_KERNEL(name)
GEMV(tc_gemv_f16_1, false, 1)
GEMV(tc_gemv_bf16_1, true, 1)
GEMV(tc_gemv_f16_4, false, 4)
GEMV(tc_gemv_bf16_4, true, 4)
