// Products with a table of very many rows, kept as it is stored: f32, f16 or bf16.
#include "dev.h"
struct half_t { uint16_t u; };
struct bf16_t { uint16_t u; };
DEV float wide(float v) { return v; }
DEV float wide(half_t h) { return half_float(h.u); }
DEV float wide(bf16_t h) { return bits_float((uint32_t)h.u << 16); }

// y[B,M] = x[B,D]·rowsᵀ. A warp has a row and 4 of x: a row is read B/4 times.
// Grid: M/8, B/4.
template <class W> DEV void row_dots(float *y, const float *x, const W *rows, int B, int M, int D) {
  grid_wait();
  int m = blockIdx.x * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31, b0 = blockIdx.y * 4;
  if (m >= M) return;
  const W *r = rows + (size_t)m * D;
  float s[4] = {0, 0, 0, 0};
  for (int d = lane; d < D; d += 32) {
    float v = wide(r[d]);
    for (int b = 0; b < 4; b++)
      if (b0 + b < B) s[b] = fmaf(x[(size_t)(b0 + b) * D + d], v, s[b]);
  }
  for (int b = 0; b < 4; b++) {
    float v = over<32>(sum_of(), s[b]);
    if (lane == 0 && b0 + b < B) y[(size_t)(b0 + b) * M + m] = v;
  }
}
KERNEL(256) row_dots_f32(float *y, const float *x, const float *rows, int B, int M, int D) { row_dots(y, x, rows, B, M, D); }
KERNEL(256) row_dots_f16(float *y, const float *x, const half_t *rows, int B, int M, int D) { row_dots(y, x, rows, B, M, D); }
KERNEL(256) row_dots_bf16(float *y, const float *x, const bf16_t *rows, int B, int M, int D) { row_dots(y, x, rows, B, M, D); }

// work[chunk,B,D] = p[B,·]·rows over 2048 rows a chunk; a block has 32 columns,
// each warp every eighth row. Grid: D/32, chunks, B/4.
enum { SUM_ROWS = 2048 };
template <class W> DEV void row_sum(float *work, const float *p, const W *rows, int B, int M, int D) {
  grid_wait();
  __shared__ float part[8][4][32];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, d = blockIdx.x * 32 + lane, b0 = blockIdx.z * 4;
  int first = blockIdx.y * SUM_ROWS, end = min(M, first + (int)SUM_ROWS);
  float s[4] = {0, 0, 0, 0};
  if (d < D)
    for (int m = first + warp; m < end; m += 8) {
      float v = wide(rows[(size_t)m * D + d]);
      for (int b = 0; b < 4; b++)
        if (b0 + b < B) s[b] = fmaf(p[(size_t)(b0 + b) * M + m], v, s[b]);
    }
  for (int b = 0; b < 4; b++) part[warp][b][lane] = s[b];
  __syncthreads();
  if (warp < 4 && b0 + warp < B && d < D) {
    float v = 0;
    for (int i = 0; i < 8; i++) v += part[i][warp][lane];
    work[((size_t)blockIdx.y * B + b0 + warp) * D + d] = v;
  }
}
KERNEL(256) row_sum_f32(float *work, const float *p, const float *rows, int B, int M, int D) { row_sum(work, p, rows, B, M, D); }
KERNEL(256) row_sum_f16(float *work, const float *p, const half_t *rows, int B, int M, int D) { row_sum(work, p, rows, B, M, D); }
KERNEL(256) row_sum_bf16(float *work, const float *p, const bf16_t *rows, int B, int M, int D) { row_sum(work, p, rows, B, M, D); }

// y = the sum of work's chunks, in order. A thread makes one value.
KERNEL(256) row_sum_end(float *y, const float *work, int chunks, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  float v = 0;
  for (int c = 0; c < chunks; c++) v += work[(size_t)c * count + i];
  y[i] = v;
}
