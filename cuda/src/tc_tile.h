// What the tensor-core GEMM and convolution share: a swizzled tile in shared
// memory, the mma loop over it, and the epilogue that writes the result.
#pragma once
#include "dev_tc.h"

// Pipeline depth. 128x128 tiles take 16 KB a stage: 4 stages are 64 KB, so two
// blocks fit an SM of 164 KB (sm_80, sm_87) or 228 KB (sm_90); where an SM has
// 100 KB (sm_86, sm_89) two blocks need 3 stages. Newer GPUs translate sm_80's code.
#if defined(TC_STAGES) // a test's choice
#elif defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890)
#define TC_STAGES 3
#else
#define TC_STAGES 4
#endif

// Activations, in ref.Act's order.
enum { ACT_NONE, ACT_RELU, ACT_QUICKGELU, ACT_GELU, ACT_GELUTANH, ACT_SILU, ACT_SIGMOID, ACT_TANH };

DEV float tc_gate(float x, float k) { return x == -INFINITY ? 0.0f : x * rcp_fast(1.0f + exp2f_fast(-1.44269504f * k * x)); }
// tc_gelu is x·Φ(x), within 2e-7·|x|: erfc by a quintic of 1/(1 + 0.3275911 z).
// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
DEV float tc_gelu(float x) {
  float z = fabsf(x) * 0.70710678f, t = rcp_fast(fmaf(0.3275911f, z, 1.0f));
  float p = fmaf(fmaf(fmaf(fmaf(1.061405429f, t, -1.453152027f), t, 1.421413741f), t, -0.284496736f), t, 0.254829592f) * t;
  float q = 0.5f * p * exp2f_fast(-1.44269504f * z * z); // Φ(-|x|)
  float y = x < 0 ? x * q : fmaf(-x, q, x);
  return z == INFINITY ? (x < 0 ? 0.0f : x) : y;
}
DEV float tc_act(int act, float x) {
  switch (act) {
  case ACT_RELU: return x < 0 ? 0.0f : x;
  case ACT_QUICKGELU: return tc_gate(x, 1.702f);
  case ACT_GELU: return tc_gelu(x);
  case ACT_GELUTANH: return tc_gate(x, 1.59576912f * (1.0f + 0.044715f * x * x));
  case ACT_SILU: return tc_gate(x, 1.0f);
  case ACT_SIGMOID: return rcp_fast(1.0f + exp2f_fast(-1.44269504f * x));
  case ACT_TANH: return tanhf(x);
  }
  return x;
}

// Where the results go: C[row] = act(alpha·acc + bias + each[row / each_rows] + R[row]).
// Rows are ldc and ldr elements apart; C, R and each are multiples of 16 bytes. Argument
// structs are what the host lays out: pointers first, no hidden padding.
struct Epilogue {
  void *C;           // half, or f32 with OUT_F32
  const float *bias; // [N] or null
  const void *R;     // half [.., N] or null
  const void *each;  // half [.., N] or null: one row for each_rows rows of C
  int N, ldc, ldr, each_rows, act, flags;
  float alpha;
  int pad;
};
enum { OUT_F32 = 1, OUT_GEGLU = 2 };

// tc_partial writes one split's sums, [splits][M][N] f32, for tc_finish.cu.
DEV Epilogue tc_partial(float *part, int split, int M, int N) {
  Epilogue e = {part + (size_t)split * M * N, 0, 0, 0, N, N, N, 1, 0, OUT_F32, 1, 0};
  return e;
}

// tc_whole reports whether rows are whole words and the activation a quick one.
DEV bool tc_whole(const Epilogue &e) {
  return !((e.N | e.ldc | e.ldr) & 7) && !((size_t)e.bias & 15) && e.alpha == 1.0f && (e.act == ACT_NONE || e.act == ACT_RELU || e.act == ACT_SILU || e.act == ACT_QUICKGELU);
}

// The arguments of the GEMMs (tc_gemm.cu, tc_gemm90.cu) and the convolutions.
struct GemmArgs {
  Epilogue e;
  const void *A, *W;
  float *part;
  unsigned *count;
  long long strideA, strideW, strideC, strideR; // elements from one batch item to the next
  int M, Nw, K, lda, ldw, splits; // splits: of tc_gemm90.cu, whose grid does not say
};

struct ConvArgs {
  Epilogue e;
  const void *x, *x2, *W;
  const float *scale, *shift;
  float *part;
  unsigned *count;
  int N, H, Wd, C1, C2, O, KH, KW, stride, padT, padL, dil, OH, OW, up, norm_act, splits, box; // splits: of tc_conv90.cu; box: of tc_convt90.cu
};

static_assert(sizeof(Epilogue) == 64 && sizeof(GemmArgs) == 152 && sizeof(ConvArgs) == 192, "the host's layout");

// tc_chunk gives the address of 16-byte chunk q (0 to 3) of row r of a tile with
// 64-byte rows. Two rows share the 32 banks and the XOR moves each pair's chunks,
// so chunk q of 8 successive rows lies in different banks.
DEV smem_t tc_chunk(smem_t base, int r, int q) { return base + r * 64 + ((q ^ (r >> 1 & 3)) << 4); }

// Output writes what warps of WM x WN sums have computed of a BM x BN tile.
// Blocks of 16 rows of one warp are STEP rows apart.
template <bool BF, int BM, int BN, int WM, int WN, int THREADS, int STEP = 16> struct Output {
  typedef float Acc[WM / 16][WN / 8][4];
  static constexpr int BYTES = THREADS / 32 * 16 * 40 * 4;

  // run writes the tile, whose first column is n0. row(r) gives the row of C for
  // tile row r, or a negative number for none. With splits > 1 every block leaves
  // its sums in part ([tile][split][BM][BN]); the last to come adds them in order,
  // whatever the order they came in, and writes. The THREADS threads that call it
  // meet at barrier 1; t counts them, s is BYTES of shared memory that is theirs,
  // and the warp's sums start at wm, wn in the tile.
  //
  // Sums go through shared memory, 16 x 32 a warp at a time, so that a lane gets 8
  // neighbours of one row: 16-byte accesses instead of 4. The loops stay rolled, or
  // the code of the activations would be there dozens of times.
  template <class Row> static DEV_M void run(Acc &acc, smem_t s, int t, int wm, int wn, const Epilogue &e, int n0, Row row, float *part, unsigned *count, int split, int splits) {
    int lane = t & 31;
    smem_t st = s + (t >> 5) * (16 * 40 * 4);
    if (splits > 1) {
      float *mine = part + (size_t)split * BM * BN;
#pragma unroll 1
      for (int b = 0; b < BLOCKS; b++) {
        stage(acc, st, b);
#pragma unroll
        for (int k = 0; k < 2; k++) {
          int r = k * 8 + (lane >> 2), c = (lane & 3) * 8;
          float *p = mine + (wm + b / (WN / 32) * STEP + r) * BN + wn + b % (WN / 32) * 32 + c;
          smem_t at = st + ((r * 40 + c) << 2);
          stg128f(p, lds128f(at)), stg128f(p + 4, lds128f(at + 16));
        }
      }
      __threadfence();
      bar_sync<1, THREADS>();
      if (t == 0) sts32(s, atomicAdd(count, 1u));
      bar_sync<1, THREADS>();
      bool last = lds128(s).x == (unsigned)splits - 1;
      bar_sync<1, THREADS>();
      if (!last) return;
      __threadfence();
      if (t == 0) *count = 0; // for the next launch
    }
    if (splits == 1 && tc_whole(e)) {
      whole(acc, st, lane, wm, wn, e, n0, row);
      return;
    }
#pragma unroll 1
    for (int b = 0; b < BLOCKS; b++) {
      if (splits == 1) stage(acc, st, b);
#pragma unroll 1
      for (int k = 0; k < 2; k++) {
        int r = k * 8 + (lane >> 2), c = (lane & 3) * 8, tr = wm + b / (WN / 32) * STEP + r, tc = wn + b % (WN / 32) * 32 + c;
        bool gate = e.flags & OUT_GEGLU && c < 16;
        float v[8] = {}, g[8] = {};
        if (splits == 1) {
          smem_t at = st + ((r * 40 + c) << 2);
          add8(v, lds128f(at), lds128f(at + 16));
          if (gate) add8(g, lds128f(at + 64), lds128f(at + 80));
        } else
#pragma unroll 1
          for (int q = 0; q < splits; q++) {
            const float *p = part + (size_t)q * BM * BN + tr * BN + tc;
            add8(v, ldcg128f(p), ldcg128f(p + 4));
            if (gate) add8(g, ldcg128f(p + 16), ldcg128f(p + 20));
          }
        emit(e, row(tr), n0 + tc, v, g);
      }
    }
  }

private:
  static constexpr int BLOCKS = (WM / 16) * (WN / 32);
  static DEV_M void add8(float *v, float4 a, float4 b) {
    v[0] += a.x, v[1] += a.y, v[2] += a.z, v[3] += a.w, v[4] += b.x, v[5] += b.y, v[6] += b.z, v[7] += b.w;
  }
  // whole writes a tile for an epilogue that tc_whole knows. The loop over blocks stays
  // rolled, so that its code stays in the instruction cache; only what reads the sums
  // is there for every block.
  template <class Row> static DEV_M void whole(Acc &acc, smem_t st, int lane, int wm, int wn, const Epilogue &e, int n0, Row row) {
    bool gated = e.flags & OUT_GEGLU;
#pragma unroll 1
    for (int b = 0; b < BLOCKS; b++) {
      int n = n0 + wn + b % (WN / 32) * 32, r0 = wm + b / (WN / 32) * STEP;
      if (gated) {
        gate(acc, st, b, e, n);
        int r = lane >> 1, c = (lane & 1) * 8;
        smem_t at = st + ((r * 40 + c) << 2);
        finish8(e, row(r0 + r), (n >> 1) + c, lds128f(at), lds128f(at + 16), 0);
        continue;
      }
      stage(acc, st, b);
      int r = lane >> 2, c = (lane & 3) * 8;
      smem_t at = st + ((r * 40 + c) << 2);
      float4 a0 = lds128f(at), a1 = lds128f(at + 16), b0 = lds128f(at + 8 * 160), b1 = lds128f(at + 8 * 160 + 16);
      int m0 = row(r0 + r), m1 = row(r0 + r + 8);
      finish8(e, m0, n + c, a0, a1, e.bias);
      finish8(e, m1, n + c, b0, b1, e.bias);
    }
  }
  // gate stages 16 x 16 products of values and their gates' GELU.
  static DEV_M void gate(Acc &acc, smem_t st, int b, const Epilogue &e, int n) {
    int lane = threadIdx.x & 31;
    smem_t p = st + (((lane >> 2) * 40 + (lane & 3) * 2) << 2);
    float2 bv[2], bg[2];
#pragma unroll
    for (int t = 0; t < 2; t++) {
      int c = n + t * 8 + (lane & 3) * 2;
      bool in = e.bias && c >> 1 < e.N;
      bv[t] = in ? ldg64f(e.bias + c) : make_float2(0, 0), bg[t] = in ? ldg64f(e.bias + c + 16) : make_float2(0, 0);
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
      if (i == b) {
#pragma unroll
        for (int t = 0; t < 2; t++) {
          const float *a = acc[i / (WN / 32)][i % (WN / 32) * 4 + t], *g = acc[i / (WN / 32)][i % (WN / 32) * 4 + t + 2];
          sts64(p + t * 32, (a[0] + bv[t].x) * tc_gelu(g[0] + bg[t].x), (a[1] + bv[t].y) * tc_gelu(g[1] + bg[t].y));
          sts64(p + t * 32 + 8 * 160, (a[2] + bv[t].x) * tc_gelu(g[2] + bg[t].x), (a[3] + bv[t].y) * tc_gelu(g[3] + bg[t].y));
        }
      }
    __syncwarp();
  }
  // finish8 ends 8 whole columns of one row.
  static DEV_M void finish8(const Epilogue &e, int m, int n, float4 a, float4 b, const float *bias) {
    if (m < 0 || n >= e.N) return;
    float v[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
    if (bias) add8(v, ldg128f(bias + n), ldg128f(bias + n + 4));
    add_half(e.each, e.each ? (size_t)(m / e.each_rows) * e.N + n : 0, true, 8, v);
    add_half(e.R, (size_t)m * e.ldr + n, true, 8, v);
    if (e.act == ACT_RELU) {
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = v[i] < 0 ? 0.0f : v[i];
    } else if (e.act) {
      float k = e.act == ACT_SILU ? 1.0f : 1.702f;
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = tc_gate(v[i], k);
    }
    size_t at = (size_t)m * e.ldc + n;
    if (e.flags & OUT_F32) {
      float *c = (float *)e.C + at;
      stg128f(c, make_float4(v[0], v[1], v[2], v[3])), stg128f(c + 4, make_float4(v[4], v[5], v[6], v[7]));
    } else stg128((uint16_t *)e.C + at, pack8<BF>(v));
  }
  // stage puts block b of the warp's sums, 16 x 32, into rows of 40 floats. Each
  // block has its own predicated stores: registers have no run-time index.
  static DEV_M void stage(Acc &acc, smem_t st, int b) {
    int lane = threadIdx.x & 31;
    smem_t p = st + (((lane >> 2) * 40 + (lane & 3) * 2) << 2);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
      if (i == b) {
#pragma unroll
        for (int t = 0; t < 4; t++) {
          const float *a = acc[i / (WN / 32)][i % (WN / 32) * 4 + t];
          sts64(p + t * 32, a[0], a[1]), sts64(p + t * 32 + 8 * 160, a[2], a[3]);
        }
      }
    __syncwarp();
  }

public:
  // emit finishes 8 columns from n on of one row; g are the gates.
  static DEV_M void emit(const Epilogue &e, int m, int n, float *v, float *g) {
    int out = e.flags & OUT_GEGLU ? (n >> 5 << 4) + (n & 15) : n;
    if (m < 0 || out >= e.N || (e.flags & OUT_GEGLU && n & 16)) return;
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = v[i] * e.alpha + (e.bias && (e.flags & OUT_GEGLU || n + i < e.N) ? e.bias[n + i] : 0.0f);
    if (e.flags & OUT_GEGLU) {
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] *= tc_gelu(g[i] * e.alpha + (e.bias ? e.bias[n + 16 + i] : 0.0f));
    }
    n = out;
    bool full = n + 8 <= e.N;
    add_half(e.each, e.each ? (size_t)(m / e.each_rows) * e.N + n : 0, full && !(e.N & 7), e.N - n, v);
    add_half(e.R, (size_t)m * e.ldr + n, full && !(e.ldr & 7), e.N - n, v);
    if (e.act) {
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = tc_act(e.act, v[i]);
    }
    size_t at = (size_t)m * e.ldc + n;
    if (e.flags & OUT_F32) {
      float *c = (float *)e.C + at;
      if (full && !(e.ldc & 3)) stg128f(c, make_float4(v[0], v[1], v[2], v[3])), stg128f(c + 4, make_float4(v[4], v[5], v[6], v[7]));
      else
        for (int i = 0; i < 8; i++) if (n + i < e.N) c[i] = v[i];
      return;
    }
    uint16_t *c = (uint16_t *)e.C + at;
    uint4 u = pack8<BF>(v);
    if (full && !(e.ldc & 7)) stg128(c, u);
    else
      for (int i = 0; i < 8; i++) if (n + i < e.N) c[i] = (uint16_t)pack2<BF>(v[i], 0);
  }

private:
  static DEV_M void add_half(const void *base, size_t at, bool wide, int left, float *v) {
    if (!base) return;
    const uint16_t *p = (const uint16_t *)base + at;
    if (wide) {
      float x[8];
      unpack8<BF>(x, ldg128(p));
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] += x[i];
      return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < left) v[i] += unpack<BF>(p[i]);
  }
};

// A BM x BN tile computed in steps of 32 along K by warps of WM x WN.
template <bool BF, int BM_, int BN_, int WM, int WN> struct Tile {
  static constexpr int BM = BM_, BN = BN_, WARPS_N = BN / WN, NT = 32 * (BM / WM) * WARPS_N;
  static constexpr int A_BYTES = BM * 64, STAGE = (BM + BN) * 64;
  typedef Output<BF, BM, BN, WM, WN, NT> Out;
  typename Out::Acc acc = {};

  // finish writes the tile through s, the block's shared memory, free by now.
  template <class Row> DEV_M void finish(smem_t s, const Epilogue &e, int n0, Row row, float *part, unsigned *count, int split, int splits) {
    int w = threadIdx.x >> 5;
    Out::run(acc, s, threadIdx.x, (w / WARPS_N) * WM, (w % WARPS_N) * WN, e, n0, row, part, count, split, splits);
  }
  DEV_M void step(smem_t sa, smem_t sb) {
    int lane = threadIdx.x & 31, w = threadIdx.x >> 5;
    int ra = (w / WARPS_N) * WM + (lane & 15), rb = (w % WARPS_N) * WN + (lane & 7) + (lane >> 4 << 3);
#pragma unroll
    for (int kk = 0; kk < 2; kk++) {
      uint32_t a[WM / 16][4], b[WN / 16][4];
      smem_t pa = tc_chunk(sa, ra, kk * 2 + (lane >> 4)), pb = tc_chunk(sb, rb, kk * 2 + (lane >> 3 & 1));
#pragma unroll
      for (int i = 0; i < WM / 16; i++) ldmatrix4(a[i], pa + i * 1024);
#pragma unroll
      for (int j = 0; j < WN / 16; j++) ldmatrix4(b[j], pb + j * 1024);
#pragma unroll
      for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++) mma<BF>(acc[i][j], a[i], b[j >> 1][(j & 1) * 2], b[j >> 1][(j & 1) * 2 + 1]);
    }
  }
};

// tc_tile_at orders the tiles of an mt x nt grid in groups of 8 rows, so that
// blocks which run together share rows of A and W in the L2 cache.
DEV void tc_tile_at(int id, int mt, int nt, int *m, int *n) {
  int per = 8 * nt, first = id / per * 8, rows = min(mt - first, 8), in = id % per;
  *m = first + in % rows, *n = in / rows;
}

// tc_split gives this block's share [k0, k1) of kt steps.
DEV void tc_split(int kt, int splits, int split, int *k0, int *k1) {
  *k0 = (int)((long long)kt * split / splits), *k1 = (int)((long long)kt * (split + 1) / splits);
}

// tc_load8 copies 16 bytes or, from an address that isn't a multiple of 16, n
// values one by one; the rest of the 8 becomes zeros.
DEV void tc_load8(smem_t d, const uint16_t *s, int n, bool wide) {
  n = n < 0 ? 0 : n > 8 ? 8 : n;
  if (wide) cp_async16(d, s, n * 2);
  else
#pragma unroll 1
    for (int i = 0; i < 8; i++) sts16(d + i * 2, i < n ? s[i] : 0);
}

// Place is where a tile of 128 pixels of a 3x3 convolution lies: rows of 8 pixels, th
// rows of 16/th pictures. Its patch, the pixels with their border, has PW pixels a row
// and ph rows a picture.
struct Place {
  static constexpr int PW = 10, PIXELS = 200; // of the largest patch: two pictures of 10 rows
  int n, y, x, th, ph;
  DEV_M void start(const ConvArgs &g, int m) {
    th = g.OH > 8 ? 16 : 8, ph = th + 2;
    int wide = (g.OW + 7) >> 3, high = (g.OH + th - 1) / th, r = m / wide;
    x = (m - r * wide) * 8, n = r / high * (16 / th), y = (r - r / high * high) * th;
  }
  static DEV_M int count(const ConvArgs &g) {
    int th = g.OH > 8 ? 16 : 8, tn = 16 / th;
    return ((g.OW + 7) >> 3) * ((g.OH + th - 1) / th) * ((g.N + tn - 1) / tn);
  }
  DEV_M int pixels() const { return (16 / th) * ph * PW; }
  // source gives the picture and input pixel of the patch's pixel p; false for padding.
  DEV_M bool source(const ConvArgs &g, int p, int *image, uint32_t *at) const {
    int r = p / PW, second = r >= ph, i = n + second, yy = y + r - (second ? ph : 0) - g.padT, xx = x + p - r * PW - g.padL;
    *image = i, *at = (uint32_t)(i * g.H + (yy >> g.up)) * g.Wd + (xx >> g.up);
    return i < g.N && (unsigned)yy < (unsigned)(g.H << g.up) && (unsigned)xx < (unsigned)(g.Wd << g.up) && p < pixels();
  }
  // corner gives the patch's pixel under the first tap for pixel r of the tile.
  DEV_M int corner(int r) const { return ((r >> 3) / th * ph + (r >> 3) % th) * PW + (r & 7); }
  // row gives the result's row for pixel r, or -1 outside.
  DEV_M int row(const ConvArgs &g, int r) const {
    int i = n + (r >> 3) / th, yy = y + (r >> 3) % th, xx = x + (r & 7);
    return i < g.N && yy < g.OH && xx < g.OW ? (i * g.OH + yy) * g.OW + xx : -1;
  }
};

// tc_normalise is SiLU or nothing of v·scale + shift for 8 channels from s and f on.
template <bool BF> DEV uint4 tc_normalise(uint4 u, const float *s, const float *f, int act) {
  float v[8];
  unpack8<BF>(v, u);
  float4 a = ldg128f(s), b = ldg128f(s + 4), c = ldg128f(f), d = ldg128f(f + 4);
  float sc[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}, sh[8] = {c.x, c.y, c.z, c.w, d.x, d.y, d.z, d.w};
#pragma unroll
  for (int j = 0; j < 8; j++) {
    v[j] = v[j] * sc[j] + sh[j];
    if (act == ACT_SILU) v[j] = tc_gate(v[j], 1.0f);
  }
  return pack8<BF>(v);
}
