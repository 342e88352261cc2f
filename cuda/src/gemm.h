// The tiled product of linear.cu and conv.cu: 256 threads make 16·TM rows by 64
// columns from tiles of 16 along k, each thread TM rows by 4 columns.
//
// The order of every sum is fixed: chains of 64 fused multiply-adds along k,
// added in ascending order. It depends on neither tile nor position, so bits
// don't depend on the batch.
#pragma once
#include "dev.h"

enum { CHAIN = 64 };

// ends writes what follows a sum: scale, bias, residual, activation.
struct Epilogue {
  Out y;
  const float *bias;
  In residual;
  int M, N, ldc, ldr, act;
  float scale;
  DEV_M void one(int m, int n, float v) const {
    v *= scale;
    if (bias) v += bias[n];
    if (residual) v += residual[(size_t)m * ldr + n];
    y.put((size_t)m * ldc + n, activate(v, act));
  }
  DEV_M void four(int m, int n, const float *v) const {
    if (m >= M) return;
    if (n + 3 < N && !((ldc | ldr | n) & 3) && y.wide() && residual.wide()) {
      float4 b = make_float4(0, 0, 0, 0), r = b, o;
      if (bias) b = make_float4(bias[n], bias[n + 1], bias[n + 2], bias[n + 3]);
      if (residual) r = residual.four((size_t)m * ldr + n);
      o.x = v[0] * scale, o.y = v[1] * scale, o.z = v[2] * scale, o.w = v[3] * scale;
      if (bias) o.x += b.x, o.y += b.y, o.z += b.z, o.w += b.w;
      if (residual) o.x += r.x, o.y += r.y, o.z += r.z, o.w += r.w;
      o.x = activate(o.x, act), o.y = activate(o.y, act), o.z = activate(o.z, act), o.w = activate(o.w, act);
      y.four((size_t)m * ldc + n, o);
      return;
    }
    for (int j = 0; j < 4; j++)
      if (n + j < N) one(m, n + j, v[j]);
  }
};

// Columns is a second operand [K,N], rows of ld elements, padded to fours or ending on
// one where ld is a multiple of four.
struct Columns {
  enum { ALONG_K = 0 };
  In w;
  int K, N, ld;
  DEV_M float4 load(int n, int k) const {
    if (k >= K || n >= N) return make_float4(0, 0, 0, 0);
    size_t p = (size_t)k * ld + n;
    if (!(ld & 3) && w.wide()) return w.four(p);
    return make_float4(w[p], n + 1 < N ? w[p + 1] : 0, n + 2 < N ? w[p + 2] : 0, n + 3 < N ? w[p + 3] : 0);
  }
};

// Rows is an operand whose rows run along k: a first one, or a second one [N,K].
struct Rows {
  enum { ALONG_K = 1 };
  In x;
  int M, K, ld;
  DEV_M float4 load(int m, int k) const {
    if (m >= M || k >= K) return make_float4(0, 0, 0, 0);
    size_t p = (size_t)m * ld + k;
    if (k + 3 < K && !(ld & 3) && x.wide()) return x.four(p);
    return make_float4(x[p], k + 1 < K ? x[p + 1] : 0, k + 2 < K ? x[p + 2] : 0, k + 3 < K ? x[p + 3] : 0);
  }
  DEV_M void begin(int, int) {}
  DEV_M float4 row(int, int m, int k) const { return load(m, k); }
};

template <int TM, class A, class B> DEV void product(A a, B b, const Epilogue &e, int m0, int n0, int K) {
  enum { BM = 16 * TM, LOADS = TM / 4 };
  __shared__ __align__(16) float as[2][16][BM + 4];
  __shared__ __align__(16) float bs[2][16][64 + 4];
  int t = threadIdx.x, tx = t & 15, ty = t >> 4, row = t >> 2, kq = (t & 3) * 4;
  float acc[TM][4] = {}, sum[TM][4] = {};
  float4 ra[LOADS], rb;
#pragma unroll
  for (int i = 0; i < LOADS; i++) a.begin(i, m0 + row + 64 * i);
  auto fetch = [&](int k0) {
#pragma unroll
    for (int i = 0; i < LOADS; i++) ra[i] = a.row(i, m0 + row + 64 * i, k0 + kq);
    rb = B::ALONG_K ? b.load(n0 + row, k0 + kq) : b.load(n0 + tx * 4, k0 + ty);
  };
  auto put = [&](int s) {
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      float *p = &as[s][kq][row + 64 * i];
      p[0] = ra[i].x, p[BM + 4] = ra[i].y, p[2 * (BM + 4)] = ra[i].z, p[3 * (BM + 4)] = ra[i].w;
    }
    if (B::ALONG_K) {
      float *p = &bs[s][kq][row];
      p[0] = rb.x, p[68] = rb.y, p[2 * 68] = rb.z, p[3 * 68] = rb.w;
    } else {
      *(float4 *)&bs[s][ty][tx * 4] = rb;
    }
  };
  auto flush = [&] {
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) sum[i][j] += acc[i][j], acc[i][j] = 0;
  };
  fetch(0);
  put(0);
  __syncthreads();
  for (int k0 = 0, s = 0; k0 < K; k0 += 16, s ^= 1) {
    bool more = k0 + 16 < K;
    if (more) fetch(k0 + 16);
#pragma unroll
    for (int kk = 0; kk < 16; kk++) {
      float am[TM];
#pragma unroll
      for (int i = 0; i < TM; i += 4) *(float4 *)&am[i] = *(const float4 *)&as[s][kk][ty * TM + i];
      float4 bn = *(const float4 *)&bs[s][kk][tx * 4];
#pragma unroll
      for (int i = 0; i < TM; i++) {
        acc[i][0] = fmaf(am[i], bn.x, acc[i][0]);
        acc[i][1] = fmaf(am[i], bn.y, acc[i][1]);
        acc[i][2] = fmaf(am[i], bn.z, acc[i][2]);
        acc[i][3] = fmaf(am[i], bn.w, acc[i][3]);
      }
    }
    if ((k0 + 16) % CHAIN == 0) flush();
    if (more) {
      put(s ^ 1);
      __syncthreads();
    }
  }
  flush();
  for (int i = 0; i < TM; i++) e.four(m0 + ty * TM + i, n0 + tx * 4, sum[i]);
}
