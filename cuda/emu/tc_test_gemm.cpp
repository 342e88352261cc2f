//go:build ignore

#include "tc_check.h"
#include "../src/tc_gemm.cu"
#include "../src/tc_gemv.cu"

struct Case {
  int M, N, K, tile, batch, act; // tile 1 or 4: gemv with so many rows
  bool bias, res, each, f32, geglu;
  int padA; // extra elements a row of A
};
static void run_case(bool bf, Case c) {
  char what[200];
  snprintf(what, sizeof what, "gemm %s %dx%dx%d tile %d batch %d act %d bias %d res %d each %d f32 %d geglu %d padA %d", bf ? "bf16" : "f16", c.M, c.N, c.K,
           c.tile, c.batch, c.act, c.bias, c.res, c.each, c.f32, c.geglu, c.padA);
  int lda = c.K + c.padA, ldw = (c.K + 7) / 8 * 8, Nw = c.geglu ? (c.N + 15) / 16 * 32 : c.N, each_rows = 5;
  if (c.batch > 1) ldw = c.K; // activations
  Half A(bf, (size_t)c.batch * c.M * lda, 1), W(bf, (size_t)c.batch * Nw * ldw, 1 / sqrtf(c.K)), R(bf, (size_t)c.batch * c.M * c.N, 1), E(bf, (size_t)((c.M + 4) / 5) * c.N, 1);
  for (int z = 0; z < c.batch; z++)
    for (int n = 0; n < Nw; n++)
      for (int k = c.K; k < ldw; k++) W.set(((size_t)z * Nw + n) * ldw + k, 0);
  A.set(c.K - 1, NAN), R.set(1 % R.n, INFINITY); // the first row and one element
  Vec<float> bias = floats(Nw, 1), out((size_t)c.batch * c.M * c.N, NAN);
  Half C(bf, out.size());
  // With GEGLU, output n's value row is 32·(n/16) + n%16 and its gate row 16 later.
  std::vector<double> want(out.size());
  for (int z = 0; z < c.batch; z++)
    for (int m = 0; m < c.M; m++)
      for (int n = 0; n < c.N; n++) {
        auto dot = [&](int row) {
          double s = 0;
          for (int k = 0; k < c.K; k++) s += (double)A.at(((size_t)z * c.M + m) * lda + k) * W.at(((size_t)z * Nw + row) * ldw + k);
          return s * 0.5 + (c.bias ? bias[row] : 0);
        };
        int row = c.geglu ? n / 16 * 32 + n % 16 : n;
        double v = dot(row);
        if (c.geglu) v *= ref_act(3, dot(row + 16));
        if (c.each) v += E.at((size_t)(m / each_rows) * c.N + n);
        size_t i = ((size_t)z * c.M + m) * c.N + n;
        if (c.res) v += R.at(i);
        want[i] = ref_act(c.act, v);
      }
  int T = c.tile < 64 ? 64 : c.tile, tiles = ((c.M + T - 1) / T) * ((Nw + T - 1) / T);
  GemmArgs g = {};
  g.e = {c.f32 ? (void *)out.data() : (void *)C.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.N, c.N, c.N, each_rows, c.act, (c.f32 ? OUT_F32 : 0) | (c.geglu ? OUT_GEGLU : 0), 0.5f};
  g.A = A.p, g.W = W.p;
  if (c.batch > 1) g.strideA = (long long)c.M * lda, g.strideW = (long long)Nw * ldw, g.strideC = g.strideR = (long long)c.M * c.N;
  g.M = c.M, g.Nw = Nw, g.K = c.K, g.lda = lda, g.ldw = ldw;
  auto k = T == 128 ? (bf ? tc_gemm_bf16_128 : tc_gemm_f16_128) : (bf ? tc_gemm_bf16_64 : tc_gemm_f16_64);
  auto v = c.tile == 1 ? (bf ? tc_gemv_bf16_1 : tc_gemv_f16_1) : (bf ? tc_gemv_bf16_4 : tc_gemv_f16_4);
  if (c.tile < 64) must(what, launch(v, {(unsigned)(c.N + 15) / 16, (unsigned)((c.M + c.tile - 1) / c.tile), 1}, {128, 1, 1}, 0, g) == 0);
  else must(what, launch(k, {(unsigned)tiles, 1, (unsigned)c.batch}, {128, 1, 1}, TC_STAGES * 2 * T * 64, g) == 0);
  Tol t = tol(bf, c.geglu ? 2e-5 : 5e-6);
  if (c.f32) t.rel = 2e-6;
  check(what, out.size(), [&](size_t i) { return c.f32 ? out[i] : C.at(i); }, want, t);
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
    run_case(bf, {128, 128, 128, 128, 1, 0, false, false, false, false, false, 0});
    run_case(bf, {130, 136, 72, 128, 1, 0, true, true, false, false, false, 8});
    run_case(bf, {64, 64, 32, 64, 1, 5, true, true, false, false, false, 0});
    run_case(bf, {77, 72, 160, 64, 1, 2, true, false, true, false, false, 0});
    run_case(bf, {1, 200, 96, 64, 1, 0, true, true, false, false, false, 0});
    run_case(bf, {50, 130, 264, 64, 1, 3, true, true, true, true, false, 0});
    run_case(bf, {33, 65, 31, 64, 1, 1, true, true, false, false, false, 0});
    run_case(bf, {33, 63, 33, 64, 1, 4, false, true, true, true, false, 2});
    run_case(bf, {70, 40, 64, 64, 1, 0, true, false, false, false, true, 0});
    run_case(bf, {140, 100, 96, 128, 1, 0, true, true, false, false, true, 0});
    run_case(bf, {65, 66, 40, 64, 3, 0, false, true, false, false, false, 0});
    run_case(bf, {20, 24, 43, 64, 2, 6, true, false, false, true, false, 0});
    run_case(bf, {5, 7, 1, 64, 1, 7, true, true, false, false, false, 0});
    run_case(bf, {1, 770, 768, 1, 1, 0, true, true, false, false, false, 0});
    run_case(bf, {3, 17, 77, 1, 1, 3, true, false, true, true, false, 3});
    run_case(bf, {7, 50, 264, 4, 1, 5, true, true, true, false, false, 8});
    run_case(bf, {2, 5, 1030, 4, 1, 0, false, true, false, true, false, 0});
    run_case(bf, {129, 8, 8, 128, 1, 0, true, true, false, true, false, 0});
  }
  must("gemm: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("gemm");
}
