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

// tc_gate is x/(1 + exp(-kx)), 0 at -infinity.
DEV float tc_gate(float x, float k) { return fmaxf(x, -3e38f) * rcp_fast(1.0f + exp2f_fast(-1.44269504f * k * x)); }
// tc_gelu is x·Φ(x) = max(x, 0) - |x|·Φ(-|x|), within 2e-7·|x|: Φ(-|x|) by a quintic of
// 1/(1 + 0.3275911·|x|/√2). From 14 on it is 0 and stays so at infinity.
// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, halved.
DEV float tc_gelu(float x) {
  float t = rcp_fast(fmaf(0.231641888f, fabsf(x), 1.0f));
  float p = fmaf(fmaf(fmaf(fmaf(0.5307027145f, t, -0.7265760135f), t, 0.7107068705f), t, -0.142248368f), t, 0.127414796f) * t;
  float q = p * exp2f_fast(-0.721347520f * x * x);
  return fmaf(-fminf(fabsf(x), 14.0f), q, fmaxf(x, 0.0f));
}
template <class F> DEV void tc_map(float *v, int n, F f) {
#pragma unroll
  for (int i = 0; i < n; i++) v[i] = f(v[i]);
}
// tc_acts replaces N values by their activations.
template <int N> DEV void tc_acts(int act, float *v) {
  switch (act) {
  case ACT_RELU: return tc_map(v, N, [](float x) { return x < 0 ? 0.0f : x; });
  case ACT_QUICKGELU: return tc_map(v, N, [](float x) { return tc_gate(x, 1.702f); });
  case ACT_GELU: return tc_map(v, N, tc_gelu);
  case ACT_GELUTANH: return tc_map(v, N, [](float x) { return tc_gate(x, 1.59576912f * (1.0f + 0.044715f * x * x)); });
  case ACT_SILU: return tc_map(v, N, [](float x) { return tc_gate(x, 1.0f); });
  case ACT_SIGMOID: return tc_map(v, N, [](float x) { return rcp_fast(1.0f + exp2f_fast(-1.44269504f * x)); });
  case ACT_TANH: return tc_map(v, N, [](float x) { return tanhf(x); });
  }
}
DEV float tc_act(int act, float x) {
  tc_acts<1>(act, &x);
  return x;
}

// Where the results go: C[row] = act(alpha·acc + bias + each[row / each_rows] + R[row]).
// Rows are ldc and ldr elements apart; C, R and each are multiples of 16 bytes. Argument
// structs are what the host lays out: pointers first, no hidden padding.
struct Epilogue {
  void *C;           // half; f32 with OUT_F32; with OUT_TOP keys, a row of ldc of them
  const float *bias; // [N] or null
  const void *R;     // half [.., N] or null
  const void *each;  // half [.., N] or null: one row for each_rows rows of C
  int N, ldc, ldr, each_rows, act, flags;
  float alpha;
  int pad;
};
// OUT_TOP: instead of the results the key of the largest of each part of a row, of as many
// columns as a kernel says. It takes a bias and nothing else; tc_finish.cu compares the keys.
enum { OUT_F32 = 1, OUT_GEGLU = 2, OUT_TOP = 4 };

// top_key orders values, a NaN above all, and of equal ones the first: column n is ~key.
DEV uint64_t top_key(float v, int n) {
  uint32_t u = f32_bits(v + 0.0f); // -0 is 0
  u = v != v ? ~0u : u >> 31 ? ~u : u | 0x80000000u;
  return (uint64_t)u << 32 | (uint32_t)~n;
}
DEV uint64_t top_max(uint64_t a, uint64_t b) { return a > b ? a : b; }
DEV uint64_t quad_top(uint64_t k) {
  k = top_max(k, __shfl_xor_sync(~0u, k, 1));
  return top_max(k, __shfl_xor_sync(~0u, k, 2));
}

// tc_partial writes one split's sums, [splits][M][N] f32, for tc_finish.cu.
DEV Epilogue tc_partial(float *part, int split, int M, int N) {
  Epilogue e = {part + (size_t)split * M * N, 0, 0, 0, N, N, N, 1, 0, OUT_F32, 1, 0};
  return e;
}

// The arguments of the GEMMs (tc_gemm.cu, tc_gemm90.cu) and the convolutions.
struct GemmArgs {
  Epilogue e;
  const void *A, *W;
  float *part;
  int M, Nw, K, lda, ldw, splits; // splits and part: of tc_gemm90.cu
};

struct ConvArgs {
  Epilogue e;
  const void *x, *x2, *W;
  float *part;
  int N, H, Wd, C1, C2, O, KH, KW, stride, padT, padL, dil, OH, OW, up, splits, box, pad; // part, splits and box: of tc_convt90.cu
};

static_assert(sizeof(Epilogue) == 64 && sizeof(GemmArgs) == 112 && sizeof(ConvArgs) == 168, "the host's layout");

// tc_chunk gives the address of 16-byte chunk q (0 to 3) of row r of a tile with
// 64-byte rows. Two rows share the 32 banks and the XOR moves each pair's chunks,
// so chunk q of 8 successive rows lies in different banks.
DEV smem_t tc_chunk(smem_t base, int r, int q) { return base + r * 64 + ((q ^ (r >> 1 & 3)) << 4); }

// tc_turn transposes what each quad of lanes has in 4 registers: lane q gets register q of
// the four, lane p's at p. It undoes itself. So pairs of columns, as mma leaves them,
// become chunks of 8 columns of one row, and back.
DEV void tc_turn(uint32_t *r) {
  bool odd = threadIdx.x & 1, high = threadIdx.x & 2;
  uint32_t a = __shfl_xor_sync(~0u, odd ? r[0] : r[1], 1), b = __shfl_xor_sync(~0u, odd ? r[2] : r[3], 1);
  r[0] = odd ? a : r[0], r[1] = odd ? r[1] : a, r[2] = odd ? b : r[2], r[3] = odd ? r[3] : b;
  a = __shfl_xor_sync(~0u, high ? r[0] : r[2], 2), b = __shfl_xor_sync(~0u, high ? r[1] : r[3], 2);
  r[0] = high ? a : r[0], r[1] = high ? b : r[1], r[2] = high ? r[2] : a, r[3] = high ? r[3] : b;
}

// Output writes what warps of WM x WN sums have computed of a BM x BN tile, THREADS
// threads in all. Blocks of 16 rows of one warp are STEP rows apart. t counts the threads,
// the warp's sums start at wm, wn in the tile, and the tile's first column is n0. row(r)
// gives the row of C for tile row r, or a negative number for none.
template <bool BF, int BM, int BN, int WM, int WN, int THREADS, int STEP = 16> struct Output {
  typedef float Acc[WM / 16][WN / 8][4];

  // run writes the tile. The loop over 16 x 32 blocks stays rolled, or the code of the
  // activations would be there dozens of times.
  template <class Row> static DEV_M void run(Acc &acc, int t, int wm, int wn, const Epilogue &e, int n0, Row row) {
    Lane l = {t & 3, 0, {}, {}, (e.flags & OUT_GEGLU) != 0};
    const void *R = e.R;
    if (R && !l.gated && e.alpha == 1.0f && !((e.ldr | e.N) & 7)) add_rows(acc, t, wm, n0 + wn, e, row), R = 0;
    int columns = l.gated ? (e.N + 15) / 16 * 32 : e.N;
    bool wide = !(e.flags & OUT_F32) && !((e.N | e.ldc | (R ? e.ldr : 0)) & 7);
#pragma unroll 1
    for (int b = 0; b < BLOCKS; b++) {
      if (b % NB == 0) {
        int r = wm + b / NB * STEP + (t >> 2 & 7);
        l.m[0] = row(r), l.m[1] = row(r + 8);
        if (e.each) l.each[0] = l.m[0] / e.each_rows, l.each[1] = l.m[1] / e.each_rows;
      }
      l.n = n0 + wn + b % NB * 32;
      if (l.n >= columns) continue;
      float v[16], w[2][8];
      take<0, BLOCKS>(acc, b, v);
      float2 k[4] = {};
      if (e.bias) load_bias(k, e.bias, l.n + l.q * 2, l.n + 32 <= columns, columns);
#pragma unroll
      for (int i = 0; i < 16; i++) v[i] = v[i] * e.alpha + (i & 1 ? k[i / 4].y : k[i / 4].x);
      // Pairs of columns 8 apart: of a row each, or of two rows where gates took half.
#pragma unroll
      for (int i = 0; i < 16; i++) w[i / 8][i % 8] = v[i % 8 / 2 * 4 + i / 8 * 2 + i % 2];
      if (l.gated) {
#pragma unroll
        for (int i = 0; i < 8; i++) w[0][i / 2 % 2 * 4 + i / 4 * 2 + i % 2] = v[i] * tc_gelu(v[i + 8]);
      }
      if (e.each || R) add(e, R, l, wide, w);
      tc_acts<16>(e.act, w[0]);
      if (wide) write(e, l, w);
      else write_narrow(e, l, w);
    }
  }

  // top writes the keys of an OUT_TOP, a part for every WN columns.
  template <class Row> static DEV_M void top(const Acc &acc, int t, int wm, int wn, const Epilogue &e, int n0, Row row) {
    int n = n0 + wn + (t & 3) * 2;
#pragma unroll
    for (int i = 0; i < WM / 8; i++) {
      int m = row(wm + i / 2 * STEP + i % 2 * 8 + (t >> 2 & 7));
      uint64_t best = 0;
#pragma unroll
      for (int j = 0; j < WN / 4; j++) {
        int at = n + j / 2 * 8 + j % 2;
        if (at < e.N) best = top_max(best, top_key(acc[i / 2][j / 2][i % 2 * 2 + j % 2] + (e.bias ? e.bias[at] : 0.0f), at));
      }
      best = quad_top(best);
      if (!(t & 3) && m >= 0 && n < e.N) ((uint64_t *)e.C)[(size_t)m * e.ldc + (n0 + wn) / WN] = best;
    }
  }

private:
  static constexpr int NB = WN / 32, BLOCKS = (WM / 16) * NB;
  // What a lane has of a block from column n on: in set s, pair j of columns, and after a
  // tc_turn one chunk of 8.
  struct Lane {
    int q, n, m[2], each[2];
    bool gated;
    DEV_M bool pair_second(int s, int j) const { return gated ? j >> 1 : s; } // of the two rows
    DEV_M int pair(int j) const { return (gated ? (n >> 1) + (j & 1) * 8 : n + j * 8) + q * 2; }
    DEV_M bool chunk_second(int s) const { return gated ? q >> 1 : s; }
    DEV_M int chunk() const { return gated ? (n >> 1) + (q & 1) * 8 : n + q * 8; }
  };
  static DEV_M void load_bias(float2 *k, const float *bias, int n, bool all, int columns) {
    if (all) {
#pragma unroll
      for (int j = 0; j < 4; j++) k[j] = ldg64f(bias + n + j * 8);
    } else {
#pragma unroll
      for (int j = 0; j < 8; j++)
        if (n + j / 2 * 8 + j % 2 < columns) (j % 2 ? k[j / 2].y : k[j / 2].x) = bias[n + j / 2 * 8 + j % 2];
    }
  }
  // add_rows adds R to all sums, a row's loads under way at once.
  template <class Row> static DEV_M void add_rows(Acc &acc, int t, int wm, int n, const Epilogue &e, Row row) {
    n += (t & 3) * 8;
#pragma unroll
    for (int i = 0; i < WM / 8; i++) {
      int m = row(wm + i / 2 * STEP + i % 2 * 8 + (t >> 2 & 7));
      const uint16_t *p = (const uint16_t *)e.R + (size_t)max(m, 0) * e.ldr + n;
      uint4 u[NB];
#pragma unroll
      for (int b = 0; b < NB; b++) u[b] = m >= 0 && n + b * 32 < e.N ? ldg128(p + b * 32) : make_uint4(0, 0, 0, 0);
#pragma unroll
      for (int b = 0; b < NB; b++) {
        uint32_t r[4] = {u[b].x, u[b].y, u[b].z, u[b].w};
        tc_turn(r);
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float *a = acc[i / 2][b * 4 + j] + i % 2 * 2;
          a[0] += lo2<BF>(r[j]), a[1] += hi2<BF>(r[j]);
        }
      }
      regs_fence(&acc[i / 2][0][0], WN / 2); // no more loads than registers
    }
  }
  // take copies block b of the sums, one of FROM to TO: registers have no run-time index,
  // and branching by halves costs less than comparing with every block.
  template <int FROM, int TO> static DEV_M void take(const Acc &acc, int b, float *v) {
    constexpr int MID = (FROM + TO) / 2;
    if constexpr (TO - FROM > 1) {
      if (b < MID) take<FROM, MID>(acc, b, v);
      else take<MID, TO>(acc, b, v);
    } else {
#pragma unroll
      for (int k = 0; k < 16; k++) v[k] = acc[FROM / NB][FROM % NB * 4 + k / 4][k % 4];
      regs_fence(v, 16); // a branch, not 16 selections
    }
  }
  // add adds each and R, and write writes: a chunk a lane where wide, else by values, for
  // floats and for rows that aren't multiples of 16 bytes.
  static DEV_M void add(const Epilogue &e, const void *R, const Lane &l, bool wide, float (*w)[8]) {
#pragma unroll
    for (int s = 0; s < 2; s++) {
      if (s && l.gated) break;
      bool second = l.chunk_second(s);
      int m = second ? l.m[1] : l.m[0], n = l.chunk();
      bool in = wide && m >= 0 && n < e.N;
      uint4 u = in && e.each ? ldg128((const uint16_t *)e.each + (size_t)(second ? l.each[1] : l.each[0]) * e.N + n) : make_uint4(0, 0, 0, 0);
      uint4 v = in && R ? ldg128((const uint16_t *)R + (size_t)m * e.ldr + n) : make_uint4(0, 0, 0, 0);
      uint32_t a[4] = {u.x, u.y, u.z, u.w}, b[4] = {v.x, v.y, v.z, v.w};
      if (wide) tc_turn(a), tc_turn(b);
#pragma unroll
      for (int j = 0; j < 4; j++) {
        bool second = l.pair_second(s, j);
        int m = second ? l.m[1] : l.m[0], n = l.pair(j);
        if (!wide && m >= 0) {
          if (e.each) a[j] = pair((const uint16_t *)e.each + (size_t)(second ? l.each[1] : l.each[0]) * e.N, n, e.N);
          if (R) b[j] = pair((const uint16_t *)R + (size_t)m * e.ldr, n, e.N);
        }
        w[s][j * 2] += lo2<BF>(a[j]) + lo2<BF>(b[j]), w[s][j * 2 + 1] += hi2<BF>(a[j]) + hi2<BF>(b[j]);
      }
    }
  }
  static DEV_M uint32_t pair(const uint16_t *p, int n, int N) { return n + 1 < N ? p[n] | (uint32_t)p[n + 1] << 16 : n < N ? p[n] : 0; }
  static DEV_M void write(const Epilogue &e, const Lane &l, const float (*w)[8]) {
#pragma unroll
    for (int s = 0; s < 2; s++) {
      if (s && l.gated) break;
      int m = l.chunk_second(s) ? l.m[1] : l.m[0], n = l.chunk();
      uint4 u = pack8<BF>(w[s]);
      uint32_t r[4] = {u.x, u.y, u.z, u.w};
      tc_turn(r);
      if (m >= 0 && n < e.N) stg128((uint16_t *)e.C + (size_t)m * e.ldc + n, make_uint4(r[0], r[1], r[2], r[3]));
    }
  }
  static DEV_M void write_narrow(const Epilogue &e, const Lane &l, const float (*w)[8]) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      int s = i >> 2, j = i & 3, m = l.pair_second(s, j) ? l.m[1] : l.m[0], n = l.pair(j);
      if (m < 0 || n >= e.N || (s && l.gated)) continue;
      const float *v = w[s] + j * 2;
      size_t at = (size_t)m * e.ldc + n;
      bool two = n + 1 < e.N;
      if (e.flags & OUT_F32) {
        float *c = (float *)e.C + at;
        if (two && !(e.ldc & 1)) stg64f(c, make_float2(v[0], v[1]));
        else {
          c[0] = v[0];
          if (two) c[1] = v[1];
        }
      } else {
        uint16_t *c = (uint16_t *)e.C + at;
        uint32_t u = pack2<BF>(v[0], v[1]);
        c[0] = (uint16_t)u;
        if (two) c[1] = (uint16_t)(u >> 16);
      }
    }
  }
};

// A BM x BN tile computed in steps of 32 along K by warps of WM x WN.
template <bool BF, int BM_, int BN_, int WM, int WN> struct Tile {
  static constexpr int BM = BM_, BN = BN_, WARPS_N = BN / WN, NT = 32 * (BM / WM) * WARPS_N;
  static constexpr int A_BYTES = BM * 64, STAGE = (BM + BN) * 64;
  typedef Output<BF, BM, BN, WM, WN, NT> Out;
  typename Out::Acc acc = {};

  template <class Row> DEV_M void finish(const Epilogue &e, int n0, Row row) {
    int w = threadIdx.x >> 5;
    Out::run(acc, threadIdx.x, (w / WARPS_N) * WM, (w % WARPS_N) * WN, e, n0, row);
  }
  template <class Row> DEV_M void top(const Epilogue &e, int n0, Row row) {
    int w = threadIdx.x >> 5;
    Out::top(acc, threadIdx.x, (w / WARPS_N) * WM, (w % WARPS_N) * WN, e, n0, row);
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
