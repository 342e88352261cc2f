//go:build ignore

#include "tc_check.h"
#include "../src/tc_conv3.cu"

struct Case {
  int N, H, W, C1, C2, O, padT, padL, padB, padR, up, bn, act;
  bool bias, res, each;
};
static void run_case(bool bf, Case c) {
  char what[240];
  snprintf(what, sizeof what, "conv 3x3 %s %dx%dx%dx(%d+%d)->%d pad %d,%d,%d,%d up %d bn %d act %d bias %d res %d each %d", bf ? "bf16" : "f16", c.N, c.H, c.W,
           c.C1, c.C2, c.O, c.padT, c.padL, c.padB, c.padR, c.up, c.bn, c.act, c.bias, c.res, c.each);
  int C = c.C1 + c.C2, Hu = c.H << c.up, Wu = c.W << c.up, OH = Hu + c.padT + c.padB - 2, OW = Wu + c.padL + c.padR - 2;
  size_t M = (size_t)c.N * OH * OW;
  Half x(bf, (size_t)c.N * c.H * c.W * c.C1, 1), x2(bf, (size_t)c.N * c.H * c.W * c.C2, 1), W(bf, (size_t)c.O * 9 * C, 1 / sqrtf(C * 9));
  Half R(bf, M * c.O, 1), E(bf, (size_t)c.N * c.O, 1), Y(bf, M * c.O);
  Vec<float> bias = floats(c.O, 1), w(W.n);
  for (size_t i = 0; i < W.n; i++) w[i] = W.at(i);
  Vec<float> in((size_t)c.N * c.H * c.W * C); // the operand of the tensor cores
  for (size_t i = 0; i < in.size(); i++) {
    size_t p = i / C, ch = i % C;
    double v = ch < (size_t)c.C1 ? x.at(p * c.C1 + ch) : x2.at(p * c.C2 + ch - c.C1);
    in[i] = v;
  }
  std::vector<double> want(M * c.O);
  for (size_t m = 0; m < M; m++) {
    int n = m / (OH * OW), oy = m / OW % OH, ox = m % OW;
    for (int o = 0; o < c.O; o++) {
      double s = 0;
      for (int tap = 0; tap < 9; tap++) {
        int y = oy - c.padT + tap / 3, xx = ox - c.padL + tap % 3;
        if (y < 0 || xx < 0 || y >= Hu || xx >= Wu) continue;
        const float *a = &in[(((size_t)n * c.H + (y >> c.up)) * c.W + (xx >> c.up)) * C], *b = &w[((size_t)o * 9 + tap) * C];
        for (int ch = 0; ch < C; ch++) s += (double)a[ch] * b[ch];
      }
      want[m * c.O + o] = ref_act(c.act, s + (c.bias ? bias[o] : 0) + (c.each ? E.at((size_t)n * c.O + o) : 0) + (c.res ? R.at(m * c.O + o) : 0));
    }
  }
  int th = OH > 8 ? 16 : 8, tn = 16 / th, tiles = (OW + 7) / 8 * ((OH + th - 1) / th) * ((c.N + tn - 1) / tn) * ((c.O + c.bn - 1) / c.bn);
  ConvArgs g = {};
  g.e = {Y.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.O, c.O, c.O, OH * OW, c.act, 0, 1};
  g.x = x.p, g.x2 = c.C2 ? x2.p : 0, g.W = W.p;
  g.N = c.N, g.H = c.H, g.Wd = c.W, g.C1 = c.C1, g.C2 = c.C2, g.O = c.O, g.KH = g.KW = 3, g.stride = g.dil = 1, g.padT = c.padT, g.padL = c.padL;
  g.OH = OH, g.OW = OW, g.up = c.up;
  auto k = c.bn == 128 ? (bf ? tc_conv3_bf16_128 : tc_conv3_f16_128) : (bf ? tc_conv3_bf16_64 : tc_conv3_f16_64);
  must(what, launch(k, {(unsigned)tiles, 1, 1}, {128, 1, 1}, 25600 + TC_STAGES * c.bn * 64, g) == 0);
  check(what, want.size(), [&](size_t i) { return Y.at(i); }, want, tol(bf, 5e-6));
}
int main() {
  for (bool bf : {false, true}) {
    run_case(bf, {2, 10, 10, 64, 0, 24, 0, 0, 0, 0, 0, 64, 0, true, false, false}); // the patch's last pixels count
    run_case(bf, {1, 16, 8, 32, 0, 128, 1, 1, 1, 1, 0, 128, 0, false, false, false});
    run_case(bf, {2, 9, 11, 64, 0, 72, 1, 1, 1, 1, 0, 64, 0, true, true, true});
    run_case(bf, {3, 8, 8, 96, 64, 170, 1, 1, 1, 1, 0, 128, 5, true, true, true});
    run_case(bf, {1, 6, 5, 32, 128, 60, 1, 1, 1, 1, 0, 64, 0, true, true, false});
    run_case(bf, {2, 10, 9, 32, 0, 64, 1, 1, 1, 1, 1, 128, 0, true, false, false});
    run_case(bf, {1, 20, 12, 96, 0, 40, 1, 1, 1, 1, 0, 64, 0, true, false, false});
    run_case(bf, {1, 12, 13, 64, 0, 8, 0, 2, 1, 0, 0, 64, 1, false, false, false});
  }
  must("conv 3x3: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("conv 3x3");
}
