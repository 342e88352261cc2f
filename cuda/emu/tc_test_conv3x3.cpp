//go:build ignore

#include "tc_check.h"
#include "../src/tc_conv3.cu"
#include "../src/tc_conv90.cu"

struct Case {
  int N, H, W, C1, C2, O, padT, padL, padB, padR, up, bn, splits, blocks, act; // blocks 0: tc_conv3.cu
  bool norm, bias, res, each;
};
static void run_case(bool bf, Case c) {
  char what[240];
  snprintf(what, sizeof what, "conv 3x3 %s %dx%dx%dx(%d+%d)->%d pad %d,%d,%d,%d up %d bn %d splits %d blocks %d act %d norm %d bias %d res %d each %d", bf ? "bf16" : "f16", c.N, c.H, c.W,
           c.C1, c.C2, c.O, c.padT, c.padL, c.padB, c.padR, c.up, c.bn, c.splits, c.blocks, c.act, c.norm, c.bias, c.res, c.each);
  int C = c.C1 + c.C2, Hu = c.H << c.up, Wu = c.W << c.up, OH = Hu + c.padT + c.padB - 2, OW = Wu + c.padL + c.padR - 2;
  size_t M = (size_t)c.N * OH * OW;
  Half x(bf, (size_t)c.N * c.H * c.W * c.C1, 1), x2(bf, (size_t)c.N * c.H * c.W * c.C2, 1), W(bf, (size_t)c.O * 9 * C, 1 / sqrtf(C * 9));
  Half R(bf, M * c.O, 1), E(bf, (size_t)c.N * c.O, 1), Y(bf, M * c.O);
  Vec<float> bias = floats(c.O, 1), scale = floats((size_t)c.N * C, 0.3, 1), shift = floats((size_t)c.N * C, 0.5), w(W.n);
  for (size_t i = 0; i < W.n; i++) w[i] = W.at(i);
  Vec<float> in((size_t)c.N * c.H * c.W * C); // the operand of the tensor cores
  for (size_t i = 0; i < in.size(); i++) {
    size_t p = i / C, ch = i % C, s = p / (c.H * c.W) * C + ch;
    double v = ch < (size_t)c.C1 ? x.at(p * c.C1 + ch) : x2.at(p * c.C2 + ch - c.C1);
    if (c.norm) v = ref_act(ACT_SILU, v * scale[s] + shift[s]), v = bf ? from_bf16(to_bf16(v)) : from_f16(to_f16(v));
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
  Vec<float> part((size_t)(c.splits > 1 ? tiles * c.splits * 128 * c.bn : 1), NAN);
  Vec<unsigned> count(tiles, 0);
  ConvArgs g = {};
  g.e = {Y.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.O, c.O, c.O, OH * OW, c.act, 0, 1};
  g.x = x.p, g.x2 = c.C2 ? x2.p : 0, g.W = W.p, g.scale = c.norm ? scale.data() : 0, g.shift = c.norm ? shift.data() : 0, g.part = part.data(), g.count = count.data();
  g.N = c.N, g.H = c.H, g.Wd = c.W, g.C1 = c.C1, g.C2 = c.C2, g.O = c.O, g.KH = g.KW = 3, g.stride = g.dil = 1, g.padT = c.padT, g.padL = c.padL;
  g.OH = OH, g.OW = OW, g.up = c.up, g.norm_act = ACT_SILU, g.splits = c.splits;
  TMap tw = tensor_map(W.p, C * 9, c.O, C * 18, c.bn);
  if (c.blocks) {
    auto k = c.bn == 128 ? (bf ? tc_conv90_bf16_128 : tc_conv90_f16_128) : (bf ? tc_conv90_bf16_160 : tc_conv90_f16_160);
    must(what, launch(k, {(unsigned)c.blocks, 1, 1}, {384, 1, 1}, 51200 + 6 * c.bn * 128 + 16 + 128, tw, g) == 0);
  } else {
    auto k = c.bn == 128 ? (bf ? tc_conv3_bf16_128 : tc_conv3_f16_128) : (bf ? tc_conv3_bf16_64 : tc_conv3_f16_64);
    must(what, launch(k, {(unsigned)tiles, (unsigned)c.splits, 1}, {128, 1, 1}, 25600 + TC_STAGES * c.bn * 64, g) == 0);
  }
  check(what, want.size(), [&](size_t i) { return Y.at(i); }, want, tol(bf, c.norm ? (bf ? 4e-3 : 5e-4) : 5e-6));
  for (unsigned u : count) must("count left at zero", u == 0);
}
int main() {
  for (bool bf : {false, true}) {
    //             N  H   W   C1   C2   O    pad         u  bn  sp bl act norm  bias  res   each
    run_case(bf, {1, 16, 8, 64, 0, 128, 1, 1, 1, 1, 0, 128, 1, 1, 0, false, false, false, false});
    run_case(bf, {2, 9, 11, 64, 0, 72, 1, 1, 1, 1, 0, 128, 1, 2, 0, false, true, true, true});
    run_case(bf, {3, 8, 8, 128, 64, 170, 1, 1, 1, 1, 0, 160, 1, 3, 5, true, true, true, true}); // two pictures a tile, the last alone
    run_case(bf, {1, 6, 5, 64, 128, 160, 1, 1, 1, 1, 0, 160, 3, 2, 0, true, true, true, false});
    run_case(bf, {2, 10, 9, 64, 0, 64, 1, 1, 1, 1, 1, 128, 1, 3, 0, false, true, false, false});
    run_case(bf, {1, 20, 12, 128, 0, 40, 1, 1, 1, 1, 0, 160, 2, 4, 0, true, true, false, false});
    run_case(bf, {2, 10, 10, 128, 0, 24, 0, 0, 0, 0, 0, 128, 1, 1, 0, true, true, false, false}); // the patch's last pixels count
    run_case(bf, {1, 12, 13, 64, 0, 8, 0, 2, 1, 0, 0, 128, 1, 1, 1, true, false, false, false});
  }
  for (bool bf : {false, true}) {
    run_case(bf, {2, 10, 10, 64, 0, 24, 0, 0, 0, 0, 0, 64, 1, 0, 0, true, true, false, false}); // the patch's last pixels count
    run_case(bf, {1, 16, 8, 32, 0, 128, 1, 1, 1, 1, 0, 128, 1, 0, 0, false, false, false, false});
    run_case(bf, {2, 9, 11, 64, 0, 72, 1, 1, 1, 1, 0, 64, 1, 0, 0, false, true, true, true});
    run_case(bf, {3, 8, 8, 96, 64, 170, 1, 1, 1, 1, 0, 128, 1, 0, 5, true, true, true, true});
    run_case(bf, {1, 6, 5, 32, 128, 60, 1, 1, 1, 1, 0, 64, 3, 0, 0, true, true, true, false});
    run_case(bf, {2, 10, 9, 32, 0, 64, 1, 1, 1, 1, 1, 128, 1, 0, 0, false, true, false, false});
    run_case(bf, {1, 20, 12, 96, 0, 40, 1, 1, 1, 1, 0, 64, 2, 0, 0, true, true, false, false});
    run_case(bf, {1, 12, 13, 64, 0, 8, 0, 2, 1, 0, 0, 64, 1, 0, 1, true, false, false, false});
  }
  must("conv 3x3: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("conv 3x3");
}
