//go:build ignore

#include "tc_check.h"
#include "../src/tc_norm.cu"

static void layernorm_case(bool bf, int M, int C) {
  std::string what = std::string("layernorm ") + (bf ? "bf16 " : "f16 ") + std::to_string(M) + "x" + std::to_string(C);
  Half x(bf, (size_t)M * C, 2), out(bf, x.n);
  for (size_t i = 0; i < x.n; i++) x.set(i, x.at(i) + 3 * (float)(i / C % 5));
  Vec<float> w = floats(C, 0.5, 1), b = floats(C, 1);
  std::vector<double> want(x.n);
  for (int m = 0; m < M; m++) {
    double s = 0, v = 0;
    for (int i = 0; i < C; i++) s += x.at((size_t)m * C + i);
    for (int i = 0; i < C; i++) v += pow(x.at((size_t)m * C + i) - s / C, 2);
    for (int i = 0; i < C; i++) want[(size_t)m * C + i] = (x.at((size_t)m * C + i) - s / C) / sqrt(v / C + 1e-5) * w[i] + b[i];
  }
  LayerNormArgs g = {out.p, x.p, w.data(), b.data(), M, C, 1e-5f, 0};
  must(what, launch(bf ? tc_layernorm_bf16 : tc_layernorm_f16, {(unsigned)(M + 7) / 8, 1, 1}, {256, 1, 1}, 0, g) == 0);
  check(what, want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, 5e-6));
}
static void groupnorm_case(bool bf, int N, int HW, int C1, int C2, int groups, int slices, float mean) {
  int C = C1 + C2;
  char what[120];
  snprintf(what, sizeof what, "groupnorm %s %dx%dx(%d+%d) groups %d slices %d mean %g", bf ? "bf16" : "f16", N, HW, C1, C2, groups, slices, mean);
  Half x(bf, (size_t)N * HW * C1, 1), x2(bf, (size_t)N * HW * C2, 1), out(bf, (size_t)N * HW * C);
  for (size_t i = 0; i < x.n; i++) x.set(i, x.at(i) + mean);
  for (size_t i = 0; i < x2.n; i++) x2.set(i, x2.at(i) + mean);
  auto at = [&](int n, int p, int c) { size_t q = (size_t)n * HW + p; return (double)(c < C1 ? x.at(q * C1 + c) : x2.at(q * C2 + c - C1)); };
  Vec<float> w = floats(C, 0.5, 1), b = floats(C, 1), scale((size_t)N * C, NAN), shift(scale);
  Vec<float2> part((size_t)N * slices * C, float2{NAN, NAN});
  Vec<unsigned> count(N, 0);
  std::vector<double> ws(scale.size()), wf(scale.size()), want(out.n);
  for (int n = 0; n < N; n++)
    for (int k = 0; k < groups; k++) {
      int per = C / groups;
      double s = 0, v = 0;
      for (int p = 0; p < HW; p++) for (int c = k * per; c < (k + 1) * per; c++) s += at(n, p, c);
      s /= (double)HW * per;
      for (int p = 0; p < HW; p++) for (int c = k * per; c < (k + 1) * per; c++) v += pow(at(n, p, c) - s, 2);
      double r = 1 / sqrt(v / HW / per + 1e-6);
      for (int c = k * per; c < (k + 1) * per; c++) {
        ws[(size_t)n * C + c] = w[c] * r, wf[(size_t)n * C + c] = b[c] - s * w[c] * r;
        for (int p = 0; p < HW; p++) want[((size_t)n * HW + p) * C + c] = ref_act(ACT_SILU, (at(n, p, c) - s) * r * w[c] + b[c]);
      }
    }
  GroupNormArgs g = {scale.data(), shift.data(), x.p, C2 ? x2.p : 0, w.data(), b.data(), part.data(), count.data(), HW, C1, C2, groups, 1e-6f, 0};
  must(what, launch(bf ? tc_groupnorm_stats_bf16 : tc_groupnorm_stats_f16, {(unsigned)slices, (unsigned)N, 1}, {256, 1, 1}, std::max(16384, 8 * C) + 8 * groups, g) == 0);
  check(std::string(what) + " scale", ws.size(), [&](size_t i) { return scale[i]; }, ws, {3e-6, 1e-6});
  check(std::string(what) + " shift", wf.size(), [&](size_t i) { return shift[i]; }, wf, {3e-6, 3e-6});
  for (unsigned u : count) must("count left at zero", u == 0);
  GroupNormApplyArgs a = {out.p, x.p, C2 ? x2.p : 0, scale.data(), shift.data(), N, HW, C1, C2, ACT_SILU, 0};
  must(what, launch(bf ? tc_groupnorm_apply_bf16 : tc_groupnorm_apply_f16, {(unsigned)(((size_t)N * HW * C / 8 + 255) / 256), 1, 1}, {256, 1, 1}, 0, a) == 0);
  check(std::string(what) + " apply", want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, 1e-5 * (1 + fabs(mean))));
}
int main() {
  for (bool bf : {false, true}) {
    for (int C : {8, 320, 640, 768, 1280, 1288, 2048}) layernorm_case(bf, 11, C);
    groupnorm_case(bf, 2, 64, 320, 0, 32, 4, 0);
    groupnorm_case(bf, 1, 67, 64, 32, 32, 5, 10); // slices of unlike sizes, a mean far from 0
    groupnorm_case(bf, 3, 9, 640, 320, 32, 9, 1); // groups across the joint, one pixel a slice
    groupnorm_case(bf, 1, 70, 1280, 1280, 32, 2, 0);
    groupnorm_case(bf, 2, 300, 32, 0, 4, 1, 50);
    groupnorm_case(bf, 1, 33, 1920, 0, 32, 3, 0);
    groupnorm_case(bf, 1, 3, 128, 0, 32, 2, 0); // fewer pixels than rows of threads
  }
  return done("norm");
}
