// Attention of every head with a running softmax: scores are never written.
#include "dev.h"

// o[B,LQ,H·D] = softmax(scale·q·kᵀ + masks)·v. Rows of q, k and v are sq, sk and
// sv elements apart and begin with head 0. mask [B,LK] is 0 for keys to leave out,
// used says how many keys there are; both may be null. A block has 16·TQ queries
// of one head and goes through the keys 64 at a time; a thread has TQ queries by
// 4 keys, then TQ queries by DC columns of 16. The order of sums depends on D and
// the keys alone. Grid: LQ/(16·TQ), H, B.
#define ATTENTION                                                                                                                     \
  Out o, In q, In k, In v, const float *mask, const int *used, fault_t *faults, int LQ, int LK, int D, \
      int sq, int sk, int sv, float scale, int causal, int slot
template <int TQ, int DC> DEV void attention(ATTENTION) {
  enum { BQ = 16 * TQ, WIDE = 16 * DC };
  grid_wait();
  __shared__ float qs[16][BQ + 1], ks[16][65], ps[BQ][65], vs[16][WIDE];
  int t = threadIdx.x, tx = t & 15, ty = t >> 4, q0 = blockIdx.x * BQ, h = blockIdx.y, b = blockIdx.z;
  int keys = used ? used[0] : LK;
  if (keys < 0 || keys > LK) {
    if (t == 0) report(faults, slot, 0, keys);
    keys = 0;
  }
  q = q + ((size_t)b * LQ * sq + h * D);
  k = k + ((size_t)b * LK * sk + h * D);
  v = v + ((size_t)b * LK * sv + h * D);
  if (mask) mask += (size_t)b * LK;
  float top[TQ], total[TQ], out[TQ][DC];
  for (int i = 0; i < TQ; i++) {
    top[i] = -INFINITY, total[i] = 0;
    for (int j = 0; j < DC; j++) out[i][j] = 0;
  }
  int end = causal ? min(keys, q0 + BQ + keys - LQ) : keys;
  for (int k0 = 0; k0 < end; k0 += 64) {
    float s[TQ][4] = {};
    for (int d0 = 0; d0 < D; d0 += 16) {
      __syncthreads();
      int d = t & 15;
      for (int r = t >> 4; r < BQ; r += 16) qs[d][r] = q0 + r < LQ && d0 + d < D ? q[(size_t)(q0 + r) * sq + d0 + d] : 0;
      for (int r = t >> 4; r < 64; r += 16) ks[d][r] = k0 + r < keys && d0 + d < D ? k[(size_t)(k0 + r) * sk + d0 + d] : 0;
      __syncthreads();
#pragma unroll
      for (int dd = 0; dd < 16; dd++)
#pragma unroll
        for (int i = 0; i < TQ; i++)
#pragma unroll
          for (int j = 0; j < 4; j++) s[i][j] = fmaf(qs[dd][ty * TQ + i], ks[dd][tx + 16 * j], s[i][j]);
    }
    for (int i = 0; i < TQ; i++) {
      float high = top[i];
      for (int j = 0; j < 4; j++) {
        int key = k0 + tx + 16 * j;
        bool seen = key < keys && (!mask || mask[key] != 0) && (!causal || key <= q0 + ty * TQ + i + keys - LQ);
        s[i][j] = seen ? s[i][j] * scale : -INFINITY;
        high = fmaxf(high, s[i][j]);
      }
      for (int w = 8; w; w >>= 1) high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, w));
      float base = high == -INFINITY ? 0 : high, shrink = expf(top[i] - base), sum = 0;
      for (int j = 0; j < 4; j++) {
        s[i][j] = expf(s[i][j] - base);
        sum += s[i][j];
        ps[ty * TQ + i][tx + 16 * j] = s[i][j];
      }
      for (int w = 8; w; w >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, w);
      top[i] = high;
      total[i] = fmaf(total[i], shrink, sum);
      for (int j = 0; j < DC; j++) out[i][j] *= shrink;
    }
    float acc[TQ][DC] = {};
    for (int c0 = 0; c0 < 64 && k0 + c0 < end; c0 += 16) {
      __syncthreads();
      for (int e = t; e < 16 * WIDE; e += 256) {
        int r = e / WIDE, d = e % WIDE, key = k0 + c0 + r;
        vs[r][d] = d < D && key < keys && (!mask || mask[key] != 0) ? v[(size_t)key * sv + d] : 0;
      }
      __syncthreads();
#pragma unroll 4
      for (int c = 0; c < 16; c++) {
        float p[TQ];
#pragma unroll
        for (int i = 0; i < TQ; i++) p[i] = ps[ty * TQ + i][c0 + c];
#pragma unroll
        for (int j = 0; j < DC; j++) {
          float u = vs[c][tx + 16 * j];
#pragma unroll
          for (int i = 0; i < TQ; i++) acc[i][j] = fmaf(p[i], u, acc[i][j]);
        }
      }
    }
    for (int i = 0; i < TQ; i++)
      for (int j = 0; j < DC; j++) out[i][j] += acc[i][j];
  }
  for (int i = 0; i < TQ; i++) {
    int row = q0 + ty * TQ + i;
    if (row >= LQ) continue;
    for (int j = 0; j < DC; j++) {
      int d = tx + 16 * j;
      if (d < D) o.put((((size_t)b * LQ + row) * gridDim.y + h) * D + d, total[i] == 0 ? 0 : out[i][j] / total[i]);
    }
  }
}
#define ATTENTION_ARGS o, q, k, v, mask, used, faults, LQ, LK, D, sq, sk, sv, scale, causal, slot
KERNEL(256) attention_q16_d64(ATTENTION) { attention<1, 4>(ATTENTION_ARGS); }
KERNEL(256) attention_q64_d64(ATTENTION) { attention<4, 4>(ATTENTION_ARGS); }
KERNEL(256) attention_q16_d160(ATTENTION) { attention<1, 10>(ATTENTION_ARGS); }
KERNEL(256) attention_q64_d160(ATTENTION) { attention<4, 10>(ATTENTION_ARGS); }
KERNEL(256) attention_q16_d512(ATTENTION) { attention<1, 32>(ATTENTION_ARGS); }
