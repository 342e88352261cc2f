// Products in f32.
#include "gemm.h"

// y[M,N] = act(x[M,K]·w[K,N] + bias + residual). Rows of x, w and y are lda, ldw
// and ldc elements; w's are padded to fours. Grid: M/64 or M/128, N/64.
#define LINEAR                                                                                                                       \
  Out y, In x, const float *w, const float *bias, In residual, int M, int N, int K, int lda, int ldw, int ldc, \
      int act
template <int TM> DEV void linear(LINEAR) {
  grid_wait();
  Epilogue e = {y, bias, residual, M, N, ldc, N, act, 1};
  product<TM>(Rows{x, M, K, lda}, Columns{In{w, KIND_F32, 0}, K, N, ldw}, e, blockIdx.x * 16 * TM, blockIdx.y * 64, K);
}
KERNEL(256) linear_64(LINEAR) { linear<4>(y, x, w, bias, residual, M, N, K, lda, ldw, ldc, act); }
KERNEL(256) linear_128(LINEAR) { linear<8>(y, x, w, bias, residual, M, N, K, lda, ldw, ldc, act); }

// The same for M up to 8, with the same bits: a block makes 32 columns, its warps
// take chains of 64 along k in turn. Grid: N/32.
KERNEL(256) linear_few(LINEAR) {
  grid_wait();
  __shared__ float xs[8][8][CHAIN], part[8][8][32];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, n = blockIdx.x * 32 + lane;
  float sum = 0; // of row warp and column n
  for (int base = 0; base < K; base += 8 * CHAIN) {
    int k0 = base + warp * CHAIN, kn = min((int)CHAIN, K - k0);
    for (int m = 0; m < 8; m++)
      for (int j = lane; j < CHAIN; j += 32) xs[warp][m][j] = m < M && j < kn ? x[(size_t)m * lda + k0 + j] : 0;
    __syncwarp();
    float acc[8] = {};
    if (n < N) {
      const float *p = w + (size_t)k0 * ldw + n;
#pragma unroll 8
      for (int j = 0; j < kn; j++) {
        float v = p[(size_t)j * ldw];
#pragma unroll
        for (int m = 0; m < 8; m++) acc[m] = fmaf(xs[warp][m][j], v, acc[m]);
      }
    }
#pragma unroll
    for (int m = 0; m < 8; m++) part[warp][m][lane] = acc[m];
    __syncthreads();
    for (int s = 0; s < 8; s++) sum += part[s][warp][lane];
    __syncthreads();
  }
  Epilogue e = {y, bias, residual, M, N, ldc, N, act, 1};
  if (warp < M && n < N) e.one(warp, n, sum);
}

// y[b] = scale·x[b]·w[b] for every b: x [M,K], w [K,N] or [N,K]. Grid: all tiles
// of 64x64 of all b, those of one b in a row.
#define MATMUL Out y, In x, In w, int M, int N, int K, float scale
template <class B> DEV void matmul(Out y, In x, B w, int M, int N, int K, float scale) {
  int mt = (M + 63) / 64, nt = (N + 63) / 64, b = blockIdx.x / (mt * nt), tile = blockIdx.x % (mt * nt);
  Epilogue e = {y + (size_t)b * M * N, 0, In{0, KIND_F32, 0}, M, N, N, 0, 0, scale};
  product<4>(Rows{x + (size_t)b * M * K, M, K, K}, w, e, tile % mt * 64, tile / mt * 64, K);
}
KERNEL(256) matmul_kn(MATMUL) {
  grid_wait();
  int per = ((M + 63) / 64) * ((N + 63) / 64);
  matmul(y, x, Columns{w + (size_t)(blockIdx.x / per) * K * N, K, N, N}, M, N, K, scale);
}
KERNEL(256) matmul_nk(MATMUL) {
  grid_wait();
  int per = ((M + 63) / 64) * ((N + 63) / 64);
  matmul(y, x, Rows{w + (size_t)(blockIdx.x / per) * K * N, N, K, K}, M, N, K, scale);
}
