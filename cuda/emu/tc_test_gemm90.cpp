//go:build ignore

#include "tc_check.h"
#include "../src/tc_finish.cu"
#include "../src/tc_gemm90.cu"

struct Case {
  int M, N, K, tm, tn, splits, blocks, act;
  bool bias, res, f32, geglu;
  bool turns = false;
};
static void run_case(bool bf, Case c) {
  char what[200];
  snprintf(what, sizeof what, "gemm90 %s %dx%dx%d tile %dx%d splits %d blocks %d act %d bias %d res %d f32 %d geglu %d turns %d", bf ? "bf16" : "f16", c.M, c.N, c.K, c.tm, c.tn, c.splits,
           c.blocks, c.act, c.bias, c.res, c.f32, c.geglu, c.turns);
  int ld = (c.K + 7) / 8 * 8, Nw = c.geglu ? (c.N + 15) / 16 * 32 : c.N;
  Half A(bf, (size_t)c.M * ld, 1), W(bf, (size_t)Nw * ld, 1 / sqrtf(c.K)), R(bf, (size_t)c.M * c.N, 1), C(bf, R.n);
  for (int r = 0; r < std::max(c.M, Nw); r++)
    for (int k = c.K; k < ld; k++) { // beyond K is nobody's business
      if (r < c.M) A.set((size_t)r * ld + k, NAN);
      if (r < Nw) W.set((size_t)r * ld + k, NAN);
    }
  Vec<float> bias = floats(Nw, 1), out(C.n, NAN);
  std::vector<double> want(C.n);
  for (int m = 0; m < c.M; m++)
    for (int n = 0; n < c.N; n++) {
      auto dot = [&](int row) {
        double s = 0;
        for (int k = 0; k < c.K; k++) s += (double)A.at((size_t)m * ld + k) * W.at((size_t)row * ld + k);
        return s + (c.bias ? bias[row] : 0);
      };
      int row = c.geglu ? n / 16 * 32 + n % 16 : n;
      double v = dot(row);
      if (c.geglu) v *= ref_act(3, dot(row + 16));
      if (c.res) v += R.at((size_t)m * c.N + n);
      want[(size_t)m * c.N + n] = ref_act(c.act, v);
    }
  Vec<float> part((size_t)c.splits * c.M * Nw, NAN);
  GemmArgs g = {};
  g.e = {c.f32 ? (void *)out.data() : (void *)C.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, 0, c.N, c.N, c.N, 1, c.act, (c.f32 ? OUT_F32 : 0) | (c.geglu ? OUT_GEGLU : 0), 1};
  g.part = part.data(), g.M = c.M, g.Nw = Nw, g.K = c.K, g.splits = c.splits;
  TMap ta = tensor_map(A.p, c.K, c.M, ld * 2, c.tm), tw = tensor_map(W.p, c.K, Nw, ld * 2, c.tn);
  int st = c.tm == 128 ? (c.tn == 128 ? 7 : 6) : 4;
  auto k = c.tm == 128 ? (c.tn == 128 ? (bf ? tc_gemm90_bf16_128x128 : tc_gemm90_f16_128x128) : (bf ? tc_gemm90_bf16_128x160 : tc_gemm90_f16_128x160))
                       : (c.tn == 128 ? (bf ? tc_gemm90_bf16_256x128 : tc_gemm90_f16_256x128) : (bf ? tc_gemm90_bf16_256x160 : tc_gemm90_f16_256x160));
  if (c.turns) k = c.tn == 128 ? (bf ? tc_gemm90_bf16_turns128 : tc_gemm90_f16_turns128) : (bf ? tc_gemm90_bf16_turns160 : tc_gemm90_f16_turns160);
  must(what, launch(k, {(unsigned)c.blocks, 1, 1}, {384, 1, 1}, st * (c.tm + c.tn) * 128 + 128, ta, tw, g) == 0);
  if (c.splits > 1) {
    FinishArgs f = {g.e, g.part, c.M, Nw, c.splits, 0};
    must(what, launch(bf ? tc_finish_bf16 : tc_finish_f16, {(unsigned)((c.M * ((Nw + 7) / 8) + 255) / 256), 1, 1}, {256, 1, 1}, 0, f) == 0);
  }
  Tol t = tol(bf, c.geglu ? 2e-5 : 5e-6);
  if (c.f32) t.rel = 2e-6;
  check(what, C.n, [&](size_t i) { return c.f32 ? out[i] : C.at(i); }, want, t);
}
// top_case: the columns of the largest products, equal ones among them, and a NaN.
static void top_case(bool bf, int M, int N, int K, int blocks, bool turns) {
  Half A(bf, (size_t)M * K, 1), W(bf, (size_t)N * K, 1);
  for (int n = 1; n < N; n += 2)
    for (int k = 0; k < K; k++) W.set((size_t)n * K + k, W.at((size_t)(n - 1) * K + k)); // each twice
  A.set(3 * K, NAN);
  Vec<int> got(M, -1);
  int parts = (N + 127) / 128;
  Vec<uint64_t> keys((size_t)M * parts, ~0ull);
  GemmArgs g = {};
  g.e = {keys.data(), 0, 0, 0, N, parts, 0, 1, 0, OUT_TOP, 1};
  g.M = M, g.Nw = N, g.K = K, g.splits = 1;
  TMap ta = tensor_map(A.p, K, M, K * 2, 128), tw = tensor_map(W.p, K, N, K * 2, 128);
  auto k = turns ? (bf ? tc_gemm90_bf16_turns128 : tc_gemm90_f16_turns128) : (bf ? tc_gemm90_bf16_128x128 : tc_gemm90_f16_128x128);
  must("top", launch(k, {(unsigned)blocks, 1, 1}, {384, 1, 1}, 7 * 256 * 128 + 128, ta, tw, g) == 0);
  must("top", launch(tc_top, {(unsigned)M, 1, 1}, {256, 1, 1}, 64, got.data(), (const uint64_t *)keys.data(), parts) == 0);
  for (int m = 0; m < M; m++) {
    int want = -1;
    double best = 0;
    for (int n = 0; n < N; n++) {
      double s = 0;
      for (int i = 0; i < K; i++) s += (double)A.at((size_t)m * K + i) * W.at((size_t)n * K + i);
      if (want < 0 || (best == best && !(s <= best))) best = s, want = n;
    }
    must("top: row " + std::to_string(m) + " has column " + std::to_string(got[m]) + " for " + std::to_string(want), got[m] == want);
  }
}
int main() {
  for (bool bf : {false, true}) {
    run_case(bf, {128, 128, 128, 128, 128, 1, 1, 0, false, false, false, false});
    run_case(bf, {130, 200, 520, 128, 128, 1, 2, 0, true, true, false, false}); // more steps than stages, two tiles a block
    run_case(bf, {150, 330, 100, 128, 160, 1, 3, 5, true, true, false, false});
    run_case(bf, {64, 160, 640, 128, 160, 3, 2, 0, true, true, false, false});
    run_case(bf, {260, 136, 328, 256, 128, 1, 4, 3, true, false, true, false});
    run_case(bf, {300, 172, 72, 256, 160, 2, 3, 0, true, true, false, false});
    run_case(bf, {140, 150, 64, 128, 160, 1, 2, 0, true, true, false, true});
    run_case(bf, {1, 8, 8, 128, 128, 1, 1, 1, false, true, false, false});
    run_case(bf, {200, 40, 640, 256, 160, 1, 1, 0, true, false, false, false});
    run_case(bf, {300, 150, 520, 128, 128, 1, 2, 5, true, true, false, false, true}); // turns: an odd number of tiles a block
    run_case(bf, {640, 170, 72, 128, 160, 1, 3, 0, true, true, false, true, true});
    run_case(bf, {128, 160, 200, 128, 160, 1, 1, 0, true, false, true, false, true});
    run_case(bf, {130, 100, 640, 128, 128, 4, 5, 0, true, true, false, false, true});
    run_case(bf, {300, 320, 136, 128, 160, 1, 2, 2, true, true, false, false, true});
    run_case(bf, {200, 328, 100, 256, 128, 1, 2, 6, true, true, false, false});
    run_case(bf, {140, 160, 64, 256, 160, 1, 1, 0, true, true, false, true});
    run_case(bf, {200, 240, 136, 128, 160, 1, 3, 0, true, false, false, true, true});
    run_case(bf, {70, 90, 390, 128, 160, 3, 2, 0, true, false, false, true});
    top_case(bf, 140, 301, 136, 3, false);
    top_case(bf, 70, 128, 64, 1, true);
  }
  return done("gemm90");
}
