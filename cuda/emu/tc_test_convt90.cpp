//go:build ignore

#include "tc_check.h"
#include "../src/tc_convt90.cu"
#include "../src/tc_finish.cu"

struct Case {
  int N, H, W, C1, C2, O, K, stride, dil, pad, bm, bn, bw, bh, blocks, act;
  bool bias, res, each, f32;
  int splits = 1;
  bool turns = false;
};
static void run_case(bool bf, Case c) {
  char what[240];
  snprintf(what, sizeof what, "convt90 %s %dx%dx%dx(%d+%d)->%d kernel %d stride %d dil %d pad %d tile %dx%d box %dx%d blocks %d act %d bias %d res %d each %d f32 %d splits %d turns %d", bf ? "bf16" : "f16", c.N, c.H, c.W,
           c.C1, c.C2, c.O, c.K, c.stride, c.dil, c.pad, c.bm, c.bn, c.bw, c.bh, c.blocks, c.act, c.bias, c.res, c.each, c.f32, c.splits, c.turns);
  int C = c.C1 + c.C2, OH = (c.H + 2 * c.pad - c.dil * (c.K - 1) - 1) / c.stride + 1, OW = (c.W + 2 * c.pad - c.dil * (c.K - 1) - 1) / c.stride + 1;
  size_t M = (size_t)c.N * OH * OW;
  Half x(bf, (size_t)c.N * c.H * c.W * c.C1, 1), x2(bf, (size_t)c.N * c.H * c.W * c.C2, 1), W(bf, (size_t)c.O * c.K * c.K * C, 1 / sqrtf(C * c.K * c.K));
  Half R(bf, M * c.O, 1), E(bf, (size_t)c.N * c.O, 1), Y(bf, M * c.O);
  Vec<float> bias = floats(c.O, 1), out(M * c.O, NAN);
  std::vector<double> want(M * c.O);
  for (size_t m = 0; m < M; m++) {
    int n = m / (OH * OW), oy = m / OW % OH, ox = m % OW;
    for (int o = 0; o < c.O; o++) {
      double s = 0;
      for (int tap = 0; tap < c.K * c.K; tap++) {
        int y = oy * c.stride - c.pad + tap / c.K * c.dil, xx = ox * c.stride - c.pad + tap % c.K * c.dil;
        if (y < 0 || xx < 0 || y >= c.H || xx >= c.W) continue;
        size_t p = ((size_t)n * c.H + y) * c.W + xx, w = ((size_t)o * c.K * c.K + tap) * C;
        for (int ch = 0; ch < C; ch++) s += (double)(ch < c.C1 ? x.at(p * c.C1 + ch) : x2.at(p * c.C2 + ch - c.C1)) * W.at(w + ch);
      }
      want[m * c.O + o] = ref_act(c.act, s + (c.bias ? bias[o] : 0) + (c.each ? E.at((size_t)n * c.O + o) : 0) + (c.res ? R.at(m * c.O + o) : 0));
    }
  }
  ConvArgs g = {};
  g.e = {c.f32 ? (void *)out.data() : (void *)Y.p, c.bias ? bias.data() : 0, c.res ? R.p : 0, c.each ? E.p : 0, c.O, c.O, c.O, OH * OW, c.act, c.f32 ? OUT_F32 : 0, 1};
  g.N = c.N, g.H = c.H, g.Wd = c.W, g.C1 = c.C1, g.C2 = c.C2, g.O = c.O, g.KH = g.KW = c.K, g.stride = c.stride, g.dil = c.dil, g.padT = g.padL = c.pad;
  g.OH = OH, g.OW = OW, g.splits = c.splits, g.box = c.bw | c.bh << 16;
  Vec<float> part(c.splits * M * c.O, NAN);
  g.part = part.data();
  int images = c.bm / (c.bw * c.bh);
  TMap ta = picture_map(x.p, c.N, c.H, c.W, c.C1, c.bw, c.bh, images, c.stride), tb = c.C2 ? picture_map(x2.p, c.N, c.H, c.W, c.C2, c.bw, c.bh, images, c.stride) : ta;
  TMap tw = tensor_map(W.p, C * c.K * c.K, c.O, C * c.K * c.K * 2, c.bn);
  int st = c.bm == 128 ? (c.bn == 128 ? 7 : 6) : 4;
  auto k = c.bm == 128 ? (c.bn == 128 ? (bf ? tc_convt90_bf16_128x128 : tc_convt90_f16_128x128) : (bf ? tc_convt90_bf16_128x160 : tc_convt90_f16_128x160))
                       : (c.bn == 128 ? (bf ? tc_convt90_bf16_256x128 : tc_convt90_f16_256x128) : (bf ? tc_convt90_bf16_256x160 : tc_convt90_f16_256x160));
  if (c.turns) k = c.bn == 128 ? (bf ? tc_convt90_bf16_turns128 : tc_convt90_f16_turns128) : (bf ? tc_convt90_bf16_turns160 : tc_convt90_f16_turns160);
  must(what, launch(k, {(unsigned)c.blocks, 1, 1}, {384, 1, 1}, st * (c.bm + c.bn) * 128 + 128, ta, tb, tw, g) == 0);
  if (c.splits > 1) {
    FinishArgs f = {g.e, g.part, (int)M, c.O, c.splits, 0};
    must(what, launch(bf ? tc_finish_bf16 : tc_finish_f16, {(unsigned)((M * ((c.O + 7) / 8) + 255) / 256), 1, 1}, {256, 1, 1}, 0, f) == 0);
  }
  Tol t = tol(bf, 5e-6);
  if (c.f32) t.rel = 3e-6;
  check(what, want.size(), [&](size_t i) { return c.f32 ? out[i] : Y.at(i); }, want, t);
}
int main() {
  for (bool bf : {false, true}) {
    run_case(bf, {1, 8, 16, 64, 0, 32, 3, 1, 1, 1, 128, 128, 16, 8, 1, 0, true, false, false, false});
    run_case(bf, {3, 9, 13, 128, 0, 136, 3, 1, 1, 1, 128, 128, 8, 16, 2, 5, true, true, true, false}); // edges, two tiles a block
    run_case(bf, {3, 8, 8, 64, 64, 170, 3, 1, 1, 1, 128, 160, 8, 8, 1, 0, true, true, false, false}); // two pictures a tile, joined input
    run_case(bf, {2, 16, 16, 64, 0, 40, 3, 1, 1, 1, 256, 160, 16, 16, 2, 0, false, true, false, true});
    run_case(bf, {2, 15, 17, 64, 0, 40, 3, 2, 1, 1, 128, 128, 8, 8, 2, 1, true, false, false, false}); // stride 2
    run_case(bf, {1, 17, 12, 64, 0, 24, 3, 1, 2, 2, 256, 128, 16, 16, 1, 0, true, false, false, false}); // dilation
    run_case(bf, {2, 10, 9, 128, 64, 72, 1, 1, 1, 0, 128, 128, 16, 8, 1, 0, true, false, false, false}); // 1x1, joined input
    run_case(bf, {1, 8, 8, 128, 0, 140, 3, 1, 1, 1, 128, 128, 8, 8, 4, 5, true, true, true, false, 5}); // split along K
    run_case(bf, {2, 9, 8, 64, 64, 44, 1, 1, 1, 0, 128, 160, 8, 8, 3, 0, true, false, false, true, 2});
    run_case(bf, {2, 11, 10, 64, 0, 72, 1, 2, 1, 0, 128, 160, 8, 8, 1, 0, false, false, false, false});
    run_case(bf, {3, 9, 13, 128, 64, 170, 3, 1, 1, 1, 128, 160, 8, 16, 2, 5, true, true, true, false, 1, true}); // turns
    run_case(bf, {2, 15, 17, 64, 0, 136, 3, 2, 1, 1, 128, 128, 8, 8, 3, 0, true, false, false, true, 2, true});
  }
  return done("convt90");
}
