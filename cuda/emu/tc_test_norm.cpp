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
  int lanes = 1;
  while (lanes < 32 && C > 40 * lanes) lanes *= 2;
  LayerNormArgs g = {out.p, x.p, w.data(), b.data(), M, C, 1e-5f, 0};
  must(what, launch(bf ? tc_layernorm_bf16 : tc_layernorm_f16, {(unsigned)(M * lanes + 255) / 256, 1, 1}, {256, 1, 1}, 0, g) == 0);
  check(what, want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, 5e-6));
}

// GroupNorm of pictures whose values have the given mean. tiles and slices: 0 for the
// host's rule. A poison lies in one value of the last group of the first picture.
struct GroupCase {
  int N, HW, C1, C2, groups, tiles, slices, cuts;
  float mean, poison;
  int act;
};
static void groupnorm_case(bool bf, GroupCase c) {
  int N = c.N, HW = c.HW, C1 = c.C1, C = C1 + c.C2, groups = c.groups, per = C / groups, tiles = c.tiles, slices = c.slices;
  if (!tiles)
    for (tiles = 1; groups % (tiles * 2) == 0 && C / 16 % (tiles * 2) == 0 && C % 16 == 0 && C / (tiles * 2) >= 32;) tiles *= 2;
  if (!slices) slices = std::max(1, std::min({(HW + 4 * (256 / (C / 8 / tiles)) - 1) / (4 * (256 / (C / 8 / tiles))), 512 / tiles, 128}));
  int cuts = c.cuts ? c.cuts : slices;
  char what[160];
  snprintf(what, sizeof what, "groupnorm %s %dx%dx(%d+%d) groups %d tiles %d slices %d cuts %d mean %g poison %g act %d", bf ? "bf16" : "f16", N, HW, C1, c.C2, groups, tiles, slices, cuts, c.mean, c.poison, c.act);
  Half x(bf, (size_t)N * HW * C1, 1), x2(bf, (size_t)N * HW * c.C2, 1), out(bf, (size_t)N * HW * C);
  for (size_t i = 0; i < x.n; i++) x.set(i, x.at(i) + c.mean + (float)(i % C1 % 3) * c.mean / 8); // channels differ in their means
  for (size_t i = 0; i < x2.n; i++) x2.set(i, x2.at(i) + c.mean);
  if (c.poison != 0) (c.C2 ? x2 : x).set((size_t)HW / 2 * (c.C2 ? c.C2 : C1) + (c.C2 ? c.C2 : C1) - 1, c.poison);
  auto at = [&](int n, int p, int k) { size_t q = (size_t)n * HW + p; return (double)(k < C1 ? x.at(q * C1 + k) : x2.at(q * c.C2 + k - C1)); };
  Vec<float> w = floats(C, 0.5, 1), b = floats(C, 1);
  Vec<float2> part((size_t)N * slices * groups, float2{NAN, NAN});
  std::vector<double> want(out.n);
  for (int n = 0; n < N; n++)
    for (int k = 0; k < groups; k++) {
      double s = 0, v = 0;
      for (int p = 0; p < HW; p++) for (int i = k * per; i < (k + 1) * per; i++) s += at(n, p, i);
      s /= (double)HW * per;
      for (int p = 0; p < HW; p++) for (int i = k * per; i < (k + 1) * per; i++) v += pow(at(n, p, i) - s, 2);
      double r = 1 / sqrt(v / HW / per + 1e-6);
      for (int i = k * per; i < (k + 1) * per; i++) {
        for (int p = 0; p < HW; p++) want[((size_t)n * HW + p) * C + i] = ref_act(c.act, (at(n, p, i) - s) * r * w[i] + b[i]);
      }
    }
  GroupNormArgs g = {out.p, x.p, c.C2 ? x2.p : 0, w.data(), b.data(), part.data(), HW, C1, c.C2, groups, slices, c.act, 1e-6f, 0};
  dim3 grid = {(unsigned)tiles, (unsigned)slices, (unsigned)N}, block = {256, 1, 1};
  unsigned sh = 8 * groups / tiles;
  must(what, launch(bf ? tc_groupnorm_parts_bf16 : tc_groupnorm_parts_f16, grid, block, 16512, g) == 0);
  double offset = fabs(c.mean) * 1.3;
  grid.y = cuts;
  must(what, launch(bf ? tc_groupnorm_apply_bf16 : tc_groupnorm_apply_f16, grid, block, sh, g) == 0);
  check(std::string(what) + " apply", want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, 1e-5 * (1 + offset)));

  // A picture alone gives the same bits, also in place.
  std::vector<uint16_t> all(out.p + (size_t)(N - 1) * HW * C, out.p + (size_t)N * HW * C);
  g.x = x.p + (size_t)(N - 1) * HW * C1, g.x2 = c.C2 ? x2.p + (size_t)(N - 1) * HW * c.C2 : 0;
  if (!c.C2) g.out = (void *)g.x;
  grid = {(unsigned)tiles, (unsigned)slices, 1};
  must(what, launch(bf ? tc_groupnorm_parts_bf16 : tc_groupnorm_parts_f16, grid, block, 16512, g) == 0);
  must(what, launch(bf ? tc_groupnorm_apply_bf16 : tc_groupnorm_apply_f16, grid, block, sh, g) == 0);
  must(std::string(what) + " alone", memcmp(g.out, all.data(), all.size() * 2) == 0);
}
int main() {
  for (bool bf : {false, true}) {
    for (int C : {8, 40, 48, 64, 320, 328, 640, 768, 1280, 1288, 2048}) layernorm_case(bf, 11, C);
    layernorm_case(bf, 300, 8), layernorm_case(bf, 67, 320), layernorm_case(bf, 1, 640);
    //                    N  HW   C1    C2    gr  til sl cut mean poison act
    groupnorm_case(bf, {2, 64, 320, 0, 32, 0, 4, 0, 0, 0, ACT_SILU});
    groupnorm_case(bf, {2, 256, 320, 0, 32, 0, 0, 5, 0, 0, ACT_SILU}); // groups of 10 across the chunks of 8
    groupnorm_case(bf, {1, 67, 64, 32, 32, 0, 5, 3, 10, 0, ACT_SILU}); // slices of unlike sizes, a mean far from 0
    groupnorm_case(bf, {3, 9, 640, 320, 32, 0, 9, 2, 1, 0, ACT_NONE}); // groups across the joint, one pixel a slice
    groupnorm_case(bf, {1, 70, 1280, 1280, 32, 0, 2, 0, 0, 0, ACT_GELU});
    groupnorm_case(bf, {2, 70, 1280, 640, 32, 0, 0, 0, 0, 0, ACT_SILU});
    groupnorm_case(bf, {2, 300, 32, 0, 4, 0, 1, 7, 50, 0, ACT_RELU});
    groupnorm_case(bf, {1, 300, 128, 0, 32, 0, 0, 0, 200, 0, ACT_SILU});
    groupnorm_case(bf, {1, 3000, 32, 0, 32, 0, 1, 0, 200, 0, ACT_NONE}); // a mean of 200 deviations: plain squares lose theirs
    groupnorm_case(bf, {1, 33, 1920, 0, 32, 1, 3, 0, 0, 0, ACT_SILU}); // one tile: 240 chunks a pixel
    groupnorm_case(bf, {1, 5, 2048, 0, 1, 0, 2, 0, 3, 0, ACT_SILU}); // one group over all threads
    groupnorm_case(bf, {1, 3, 128, 0, 32, 0, 2, 0, 0, 0, ACT_SILU}); // fewer pixels than rows of threads
    groupnorm_case(bf, {2, 3, 128, 0, 32, 0, 5, 4, 2, 0, ACT_SILU}); // more slices and cuts than pixels
    groupnorm_case(bf, {2, 1, 320, 0, 32, 0, 0, 0, 0, 0, ACT_SILU}); // one pixel
    groupnorm_case(bf, {1, 1, 8, 0, 1, 0, 1, 1, 0, 0, ACT_NONE});
    groupnorm_case(bf, {1, 40, 256, 0, 256, 1, 2, 0, 1, 0, ACT_NONE}); // a group is a channel, a lane
    groupnorm_case(bf, {1, 700, 8, 0, 2, 0, 300, 0, 1, 0, ACT_NONE}); // several parts a lane
    groupnorm_case(bf, {1, 50, 328, 0, 8, 0, 0, 0, 1, 0, ACT_SILU}); // 41 chunks
    for (float bad : {NAN, INFINITY, -INFINITY}) {
      groupnorm_case(bf, {2, 30, 320, 0, 32, 0, 3, 2, 1, bad, ACT_SILU});
      groupnorm_case(bf, {2, 30, 320, 320, 32, 0, 3, 2, 1, bad, ACT_NONE});
    }
  }
  return done("norm");
}
