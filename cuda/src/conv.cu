// Convolution over [N,H,W,C] as an implicit product, max pooling, resizing.
#include "gemm.h"

// Patches is the first operand: row m is an output position, column k a tap and
// a channel of the group, the channel fastest. With stats every value is
// normalised as it is read; padding stays zero.
struct Patches {
  In x;
  const float *stats;
  int N, H, W, C, KH, KW, SH, SW, DH, DW, PT, PL, OH, OW, CG, c0, M, K, act;
  int n[2], h0[2], w0[2]; // of the rows that this thread loads
  DEV_M void begin(int i, int m) {
    n[i] = m < M ? m / (OH * OW) : -1;
    h0[i] = m / OW % OH * SH - PT;
    w0[i] = m % OW * SW - PL;
  }
  DEV_M float norm(int n, int c, float v) const {
    return stats ? activate(fmaf(v, stats[n * C + c], stats[(N + n) * C + c]), act) : v;
  }
  // at gives where channel c under a tap lies; -1 for padding.
  DEV_M long long at(int i, int tap, int c) const {
    int h = h0[i] + tap / KW * DH, w = w0[i] + tap % KW * DW;
    return (unsigned)h < (unsigned)H && (unsigned)w < (unsigned)W ? (((long long)n[i] * H + h) * W + w) * C + c : -1;
  }
  DEV_M float4 row(int i, int, int k) const {
    float v[4] = {0, 0, 0, 0};
    if (n[i] >= 0 && k < K) {
      int tap = k / CG, c = k % CG;
      if (!(CG & 3) && x.wide()) {
        long long p = at(i, tap, c0 + c);
        if (p >= 0) {
          float4 u = x.four(p);
          v[0] = norm(n[i], c0 + c, u.x), v[1] = norm(n[i], c0 + c + 1, u.y);
          v[2] = norm(n[i], c0 + c + 2, u.z), v[3] = norm(n[i], c0 + c + 3, u.w);
        }
      } else {
        for (int j = 0; j < 4 && k + j < K; j++) {
          long long p = at(i, tap, c0 + c);
          if (p >= 0) v[j] = norm(n[i], c0 + c, x[p]);
          if (++c == CG) c = 0, tap++;
        }
      }
    }
    return make_float4(v[0], v[1], v[2], v[3]);
  }
};

// y[N,OH,OW,O] = act(conv(normact(x·scale + shift)) + bias + residual). w is
// [groups][KH·KW·CG][ldw], stats [2,N,C] or null. Grid: positions/64 or /128,
// O/groups/64, groups.
#define CONV                                                                                                                           \
  Out y, In x, const float *w, const float *bias, In residual, const float *stats, int N, int H, int W, int C,   \
      int O, int KH, int KW, int SH, int SW, int DH, int DW, int PT, int PL, int OH, int OW, int groups, int ldw, int act, int norm_act
template <int TM> DEV void conv(CONV) {
  grid_wait();
  int cg = C / groups, og = O / groups, g = blockIdx.z, K = KH * KW * cg, M = N * OH * OW;
  Patches p = {x, stats, N, H, W, C, KH, KW, SH, SW, DH, DW, PT, PL, OH, OW, cg, g * cg, M, K, norm_act};
  Epilogue e = {y + g * og, bias ? bias + g * og : 0, residual ? residual + g * og : residual, M, og, O, O, act, 1};
  product<TM>(p, Columns{In{w + (size_t)g * K * ldw, KIND_F32, 0}, K, og, ldw}, e, blockIdx.x * 16 * TM, blockIdx.y * 64, K);
}
#define CONV_ARGS y, x, w, bias, residual, stats, N, H, W, C, O, KH, KW, SH, SW, DH, DW, PT, PL, OH, OW, groups, ldw, act, norm_act
KERNEL(256) conv_64(CONV) { conv<4>(CONV_ARGS); }
KERNEL(256) conv_128(CONV) { conv<8>(CONV_ARGS); }

// y[N,OH,OW,C] is the largest value under each K×K window; a NaN stays. A thread
// makes four channels where C is a multiple of four and x and y allow it, else one; count
// is the threads.
KERNEL(256) max_pool(Out y, In x, int H, int W, int C, int K, int stride, int pad, int OH, int OW, int each, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int per = C / each, c = i % per * each, q = i / per % OW, p = i / per / OW % OH, n = i / per / OW / OH;
  float4 top = make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
  for (int h = p * stride - pad; h < p * stride - pad + K; h++)
    for (int w = q * stride - pad; w < q * stride - pad + K; w++)
      if (h >= 0 && h < H && w >= 0 && w < W) {
        size_t at = (((size_t)n * H + h) * W + w) * C + c;
        if (each == 1) top.x = max_of()(x[at], top.x);
        else {
          float4 v = x.four(at);
          top.x = max_of()(v.x, top.x), top.y = max_of()(v.y, top.y), top.z = max_of()(v.z, top.z), top.w = max_of()(v.w, top.w);
        }
      }
  size_t to = (size_t)i * each;
  if (each == 1) y.put(to, top.x);
  else y.four(to, top);
}

// y[N,OH,OW,C] resizes x [N,H,W,C] by nearest neighbour.
KERNEL(256) upsample(Out y, In x, int H, int W, int C, int OH, int OW, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int c = i % C, q = i / C % OW, p = i / C / OW % OH, n = i / C / OW / OH;
  y.put(i, x[(((size_t)n * H + (size_t)p * H / OH) * W + (size_t)q * W / OW) * C + c]);
}
// The same for pictures whose channels are C words of 16 bytes.
KERNEL(256) upsample_words(uint4 *y, const uint4 *x, int H, int W, int C, int OH, int OW, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int c = i % C, q = i / C % OW, p = i / C / OW % OH, n = i / C / OW / OH;
  y[i] = x[(((size_t)n * H + (size_t)p * H / OH) * W + (size_t)q * W / OW) * C + c];
}

// y[M,ld] is the operand of a convolution as a product, in halves: row m has an output
// position's KH·KW·C values, the channel fastest, then zeros. A thread makes eight;
// ld is a multiple of eight. Grid: M·ld/8/256.
KERNEL(256) patches(Out y, In x, int H, int W, int C, int KH, int KW, int SH, int SW, int DH, int DW, int PT, int PL, int OH, int OW, int ld, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int per = ld / 8, m = i / per, k = i % per * 8, n = m / (OH * OW), h0 = m / OW % OH * SH - PT, w0 = m % OW * SW - PL;
  int tap = k / C, c = k - tap * C, ky = tap / KW, kx = tap - ky * KW;
  uint16_t v[8];
  for (int j = 0; j < 8; j++) {
    int h = h0 + ky * DH, w = w0 + kx * DW;
    bool in = ky < KH && (unsigned)h < (unsigned)H && (unsigned)w < (unsigned)W;
    float f = in ? x[(((size_t)n * H + h) * W + w) * C + c] : 0;
    v[j] = y.kind == KIND_F16 ? float_half(f) : float_bf16(f);
    if (++c == C) {
      c = 0;
      if (++kx == KW) kx = 0, ky++;
    }
  }
  uint4 u;
  u.x = v[0] | (uint32_t)v[1] << 16, u.y = v[2] | (uint32_t)v[3] << 16, u.z = v[4] | (uint32_t)v[5] << 16, u.w = v[6] | (uint32_t)v[7] << 16;
  ((uint4 *)y.p)[i] = u;
}
