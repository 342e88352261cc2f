//go:build ignore

#include "tc_check.h"
#include "../src/tc_gemm.cu"
#include "../src/tc_few.cu"
#include "../src/tc_finish.cu"

struct Case {
  int M, N, K, tile, act; // a negative one: rows of a block of tc_few
  bool bias, res, each, f32, geglu;
  int padA; // extra elements a row of A
};
static int few(bool bf, int rows, GemmArgs g) {
  void (*k[2][4])(GemmArgs) = {{tc_few_f16_8, tc_few_f16_16, tc_few_f16_32, tc_few_f16_64}, {tc_few_bf16_8, tc_few_bf16_16, tc_few_bf16_32, tc_few_bf16_64}};
  int i = rows == 8 ? 0 : rows == 16 ? 1 : rows == 32 ? 2 : 3;
  return launch(k[bf][i], {(unsigned)(g.e.N + 15) / 16, (unsigned)((g.M + rows - 1) / rows), 1}, {256, 1, 1}, 640 * rows, g);
}
static void run_case(bool bf, Case c) {
  char what[200];
  snprintf(what, sizeof what, "gemm %s %dx%dx%d tile %d act %d bias %d res %d each %d f32 %d geglu %d padA %d", bf ? "bf16" : "f16", c.M, c.N, c.K,
           c.tile, c.act, c.bias, c.res, c.each, c.f32, c.geglu, c.padA);
  int lda = c.K + c.padA, ldw = (c.K + 7) / 8 * 8, Nw = c.geglu ? (c.N + 15) / 16 * 32 : c.N, each_rows = 5;
  Half A(bf, (size_t)c.M * lda, 1), W(bf, (size_t)Nw * ldw, 1 / sqrtf(c.K)), R(bf, (size_t)c.M * c.N, 1), E(bf, (size_t)((c.M + 4) / 5) * c.N, 1);
  for (int n = 0; n < Nw; n++)
    for (int k = c.K; k < ldw; k++) W.set((size_t)n * ldw + k, 0);
  A.set(c.K - 1, NAN), R.set(1 % R.n, INFINITY); // the first row and one element
  Vec<float> bias = floats(Nw, 1), out((size_t)c.M * c.N, NAN);
  Half C(bf, out.size());
  // With GEGLU, output n's value row is 32·(n/16) + n%16 and its gate row 16 later.
  std::vector<double> want(out.size());
  for (int m = 0; m < c.M; m++)
    for (int n = 0; n < c.N; n++) {
      auto dot = [&](int row) {
        double s = 0;
        for (int k = 0; k < c.K; k++) s += (double)A.at((size_t)m * lda + k) * W.at((size_t)row * ldw + k);
        return s * 0.5 + (c.bias ? bias[row] : 0);
      };
      int row = c.geglu ? n / 16 * 32 + n % 16 : n;
      double v = dot(row);
      if (c.geglu) v *= ref_act(3, dot(row + 16));
      if (c.each) v += E.at((size_t)(m / each_rows) * c.N + n);
      size_t i = (size_t)m * c.N + n;
      if (c.res) v += R.at(i);
      want[i] = ref_act(c.act, v);
    }
  int T = c.tile < 64 ? 64 : c.tile, tiles = ((c.M + T - 1) / T) * ((Nw + T - 1) / T);
  GemmArgs g = {};
  g.e = {c.f32 ? (void *)out.data() : (void *)C.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.N, c.N, c.N, each_rows, c.act, (c.f32 ? OUT_F32 : 0) | (c.geglu ? OUT_GEGLU : 0), 0.5f};
  g.A = A.p, g.W = W.p;
  g.M = c.M, g.Nw = Nw, g.K = c.K, g.lda = lda, g.ldw = ldw;
  if (c.tile < 64) must(what, few(bf, -c.tile, g) == 0);
  else must(what, launch(T == 128 ? (bf ? tc_gemm_bf16_128 : tc_gemm_f16_128) : (bf ? tc_gemm_bf16_64 : tc_gemm_f16_64), {(unsigned)tiles, 1, 1}, {128, 1, 1}, TC_STAGES * 2 * T * 64, g) == 0);
  Tol t = tol(bf, c.geglu ? 2e-5 : 5e-6);
  if (c.f32) t.rel = 2e-6;
  check(what, out.size(), [&](size_t i) { return c.f32 ? out[i] : C.at(i); }, want, t);
}
// top_case: the columns of the largest products, with equal ones, a NaN and none at all.
static void top_case(bool bf, int M, int N, int K, int tile) {
  Half A(bf, (size_t)M * K, 1), W(bf, (size_t)N * K, 1);
  Vec<float> bias = floats(N, 1);
  auto copy = [&](int to, int from) {
    for (int k = 0; k < K; k++) W.set((size_t)to * K + k, W.at((size_t)from * K + k));
    bias[to] = bias[from];
  };
  for (int n = 1; n < N; n += 2) copy(n, n - 1); // each twice
  for (int k = 0; k < K; k++) A.set(k, 0);       // the first row has only zeros,
  for (int n = 0; n < N; n++) bias[n] = M == 1 ? (n == 5 ? -0.0f : 0) : bias[n];
  if (M > 2) {
    A.set(2 * K, NAN);
    for (int k = 0; k < K; k++) A.set((size_t)1 * K + k, INFINITY); // the second infinities or NaNs
  }
  Vec<int> got(M, -1);
  std::vector<int> want(M);
  for (int m = 0; m < M; m++) {
    double best = -INFINITY;
    want[m] = -1;
    for (int n = 0; n < N; n++) {
      double s = bias[n];
      for (int k = 0; k < K; k++) s += (double)A.at((size_t)m * K + k) * W.at((size_t)n * K + k);
      if (want[m] < 0 || (best == best && !(s <= best))) best = s, want[m] = n;
    }
  }
  int part = tile < 0 ? 16 : tile / 2, parts = (N + part - 1) / part;
  Vec<uint64_t> keys((size_t)M * parts, ~0ull);
  GemmArgs g = {};
  g.e = {keys.data(), bias.data(), 0, 0, N, parts, 0, 1, 0, OUT_TOP, 1};
  g.A = A.p, g.W = W.p, g.M = M, g.Nw = N, g.K = g.lda = g.ldw = K;
  char what[99];
  snprintf(what, sizeof what, "top %s %dx%dx%d tile %d", bf ? "bf16" : "f16", M, N, K, tile);
  if (tile < 0) must(what, few(bf, -tile, g) == 0);
  else must(what, launch(bf ? tc_gemm_bf16_64 : tc_gemm_f16_64, {(unsigned)((M + tile - 1) / tile * ((N + tile - 1) / tile)), 1, 1}, {128, 1, 1}, TC_STAGES * 2 * tile * 64, g) == 0);
  must(what, launch(tc_top, {(unsigned)M, 1, 1}, {256, 1, 1}, 64, got.data(), (const uint64_t *)keys.data(), parts) == 0);
  for (int m = 0; m < M; m++)
    if (got[m] != want[m]) printf("row %d: column %d, not %d\n", m, got[m], want[m]), must(what, false);
}
static __global__ void activate(int act, const float *x, float *y, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = tc_act(act, x[i]);
}
static void activations() {
  Vec<float> x = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-30f, -1e-30f, 1e30f, -1e30f, 3.4e38f, -3.4e38f};
  for (float v = -20; v < 20; v += 1 / 128.0f) x.push_back(v);
  Vec<float> y(x.size());
  for (int act = 0; act < 8; act++) {
    std::vector<double> want;
    for (float v : x) want.push_back(ref_act(act, v));
    must("activate", launch(activate, {(unsigned)(x.size() + 255) / 256, 1, 1}, {256, 1, 1}, 0, act, (const float *)x.data(), y.data(), (int)x.size()) == 0);
    check("activation " + std::to_string(act), x.size(), [&](size_t i) { return y[i]; }, want, {2e-6, 5e-7});
  }
}
int main() {
  activations();
  for (bool bf : {false, true}) {
    run_case(bf, {128, 128, 128, 128, 0, false, false, false, false, false, 0});
    run_case(bf, {130, 136, 72, 128, 0, true, true, false, false, false, 8});
    run_case(bf, {64, 64, 32, 64, 5, true, true, false, false, false, 0});
    run_case(bf, {77, 72, 160, 64, 2, true, false, true, false, false, 0});
    run_case(bf, {1, 200, 96, 64, 0, true, true, false, false, false, 0});
    run_case(bf, {50, 130, 264, 64, 3, true, true, true, true, false, 0});
    run_case(bf, {33, 65, 31, 64, 1, true, true, false, false, false, 0});
    run_case(bf, {33, 63, 33, 64, 4, false, true, true, true, false, 2});
    run_case(bf, {70, 40, 64, 64, 0, true, false, false, false, true, 0});
    run_case(bf, {140, 100, 96, 128, 0, true, true, false, false, true, 0});
    run_case(bf, {5, 7, 1, 64, 7, true, true, false, false, false, 0});
    run_case(bf, {129, 8, 8, 128, 0, true, true, false, true, false, 0});
    run_case(bf, {1, 770, 768, -8, 0, true, true, false, false, false, 0});
    run_case(bf, {3, 17, 72, -8, 3, true, false, true, true, false, 8});
    run_case(bf, {11, 50, 264, -16, 5, true, true, true, false, false, 8});
    run_case(bf, {17, 5, 1032, -16, 0, false, true, false, true, false, 0});
    run_case(bf, {30, 33, 1544, -32, 1, true, true, false, false, false, 0});
    run_case(bf, {64, 48, 40, -64, 4, true, true, false, false, false, 16});
    run_case(bf, {77, 36, 520, -64, 0, true, true, true, true, false, 0});
    run_case(bf, {9, 16, 8, -8, 7, true, false, false, false, false, 0});
    top_case(bf, 1, 70, 40, -8);
    top_case(bf, 20, 90, 72, -16);
    top_case(bf, 66, 33, 264, -64);
    top_case(bf, 70, 101, 40, 64);
    top_case(bf, 1, 140, 32, 64);
  }
  must("gemm: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("gemm");
}
