//go:build ignore

#include "tc_check.h"
#include "../src/tc_conv.cu"

struct Case {
  int N, H, W, C1, C2, O, KH, KW, stride, padT, padL, padB, padR, dil, up, tile, act;
  bool bias, res, each, f32;
};
static void run_case(bool bf, Case c) {
  char what[240];
  snprintf(what, sizeof what, "conv %s %dx%dx%dx(%d+%d)->%d k%dx%d stride %d pad %d,%d,%d,%d dil %d up %d tile %d act %d bias %d res %d each %d f32 %d", bf ? "bf16" : "f16",
           c.N, c.H, c.W, c.C1, c.C2, c.O, c.KH, c.KW, c.stride, c.padT, c.padL, c.padB, c.padR, c.dil, c.up, c.tile, c.act, c.bias, c.res, c.each, c.f32);
  int C = c.C1 + c.C2, Cp = (C + 7) / 8 * 8, Hu = c.H << c.up, Wu = c.W << c.up;
  int OH = (Hu + c.padT + c.padB - c.dil * (c.KH - 1) - 1) / c.stride + 1, OW = (Wu + c.padL + c.padR - c.dil * (c.KW - 1) - 1) / c.stride + 1;
  size_t M = (size_t)c.N * OH * OW;
  Half x(bf, (size_t)c.N * c.H * c.W * c.C1, 1), x2(bf, (size_t)c.N * c.H * c.W * c.C2, 1), W(bf, (size_t)c.O * c.KH * c.KW * Cp, 1 / sqrtf(C * c.KH * c.KW));
  Half R(bf, M * c.O, 1), E(bf, (size_t)c.N * c.O, 1), Y(bf, M * c.O);
  Vec<float> bias = floats(c.O, 1), out(M * c.O, NAN);
  for (size_t i = 0; i < W.n; i++)
    if ((int)(i % Cp) >= C) W.set(i, 0);
  std::vector<double> want(M * c.O);
  for (int n = 0; n < c.N; n++)
    for (int oy = 0; oy < OH; oy++)
      for (int ox = 0; ox < OW; ox++) {
        size_t m = ((size_t)n * OH + oy) * OW + ox;
        std::vector<double> s(c.O, 0.0);
        for (int ky = 0; ky < c.KH; ky++)
          for (int kx = 0; kx < c.KW; kx++) {
            int y = oy * c.stride - c.padT + ky * c.dil, xx = ox * c.stride - c.padL + kx * c.dil;
            if (y < 0 || xx < 0 || y >= Hu || xx >= Wu) continue;
            size_t p = ((size_t)n * c.H + (y >> c.up)) * c.W + (xx >> c.up);
            for (int ch = 0; ch < C; ch++) {
              double v = ch < c.C1 ? x.at(p * c.C1 + ch) : x2.at(p * c.C2 + ch - c.C1);
              for (int o = 0; o < c.O; o++) s[o] += v * W.at(((size_t)o * c.KH * c.KW + ky * c.KW + kx) * Cp + ch);
            }
          }
        for (int o = 0; o < c.O; o++) {
          double v = s[o] + (c.bias ? bias[o] : 0) + (c.each ? E.at((size_t)n * c.O + o) : 0) + (c.res ? R.at(m * c.O + o) : 0);
          want[m * c.O + o] = ref_act(c.act, v);
        }
      }
  int T = c.tile, tiles = (int)((M + T - 1) / T) * ((c.O + T - 1) / T);
  ConvArgs g = {};
  g.e = {c.f32 ? (void *)out.data() : (void *)Y.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.O, c.O, c.O, OH * OW, c.act, c.f32 ? OUT_F32 : 0, 1};
  g.x = x.p, g.x2 = c.C2 ? x2.p : 0, g.W = W.p;
  g.N = c.N, g.H = c.H, g.Wd = c.W, g.C1 = c.C1, g.C2 = c.C2, g.O = c.O, g.KH = c.KH, g.KW = c.KW, g.stride = c.stride, g.padT = c.padT, g.padL = c.padL, g.dil = c.dil;
  g.OH = OH, g.OW = OW, g.up = c.up;
  auto k = T == 128 ? (bf ? tc_conv_bf16_128 : tc_conv_f16_128) : (bf ? tc_conv_bf16_64 : tc_conv_f16_64);
  must(what, launch(k, {(unsigned)tiles, 1, 1}, {128, 1, 1}, TC_STAGES * 2 * T * 64, g) == 0);
  Tol t = tol(bf, 5e-6);
  if (c.f32) t.rel = 2e-6;
  check(what, want.size(), [&](size_t i) { return c.f32 ? out[i] : Y.at(i); }, want, t);
}
int main() {
  for (bool bf : {false, true}) {
    //             N  H   W   C1  C2 O   k     s  pad         d  u tile act bias  res   each  f32
    run_case(bf, {2, 9, 11, 32, 0, 72, 3, 3, 1, 1, 1, 1, 1, 1, 0, 64, 0, true, true, true, false});
    run_case(bf, {1, 16, 16, 64, 0, 128, 3, 3, 1, 1, 1, 1, 1, 1, 0, 128, 5, true, false, false, false});
    run_case(bf, {3, 5, 7, 40, 24, 65, 3, 3, 1, 1, 1, 1, 1, 1, 0, 64, 0, true, true, true, false});
    run_case(bf, {2, 8, 8, 32, 64, 136, 3, 3, 1, 1, 1, 1, 1, 1, 0, 128, 0, true, true, false, false});
    run_case(bf, {1, 5, 6, 32, 0, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 64, 0, true, false, false, false});
    run_case(bf, {2, 5, 6, 48, 0, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 64, 0, true, false, false, true});
    run_case(bf, {1, 13, 12, 16, 0, 33, 3, 3, 2, 0, 0, 1, 1, 1, 0, 64, 1, true, false, false, false});
    run_case(bf, {2, 12, 9, 32, 0, 64, 3, 3, 2, 1, 1, 1, 1, 1, 0, 64, 0, true, false, false, false});
    run_case(bf, {1, 17, 19, 3, 0, 64, 7, 7, 2, 3, 3, 3, 3, 1, 0, 64, 1, true, false, false, false});
    run_case(bf, {1, 8, 8, 4, 0, 320, 3, 3, 1, 1, 1, 1, 1, 1, 0, 128, 0, true, false, false, false});
    run_case(bf, {2, 7, 7, 72, 0, 4, 3, 3, 1, 1, 1, 1, 1, 1, 0, 64, 0, true, false, false, true});
    run_case(bf, {1, 10, 7, 40, 0, 72, 1, 1, 1, 0, 0, 0, 0, 1, 0, 64, 0, true, true, false, false});
    run_case(bf, {2, 9, 10, 64, 16, 24, 1, 1, 2, 0, 0, 0, 0, 1, 0, 64, 0, false, false, false, false});
    run_case(bf, {1, 64, 64, 3, 0, 40, 32, 32, 32, 0, 0, 0, 0, 1, 0, 64, 0, false, false, false, false});
    run_case(bf, {1, 9, 9, 16, 0, 16, 3, 3, 1, 2, 2, 2, 2, 2, 0, 64, 0, true, false, false, false});
  }
  must("conv: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("conv");
}
