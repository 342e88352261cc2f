//go:build ignore

#include "tc_check.h"
#include "../src/tc_attn.cu"

struct Case {
  int D, B, H, LQ, LK;
  bool causal, mask;
  int used;    // -1 for all
  bool packed; // q, k and v in one projection
};
static void run_case(bool bf, Case c) {
  char what[160];
  snprintf(what, sizeof what, "attention %s d%d b%d h%d %dx%d causal %d mask %d used %d packed %d", bf ? "bf16" : "f16", c.D, c.B, c.H, c.LQ, c.LK, c.causal, c.mask, c.used, c.packed);
  int HD = c.H * c.D, SQ = c.packed ? 3 * HD : HD + 8, SK = c.packed ? 3 * HD : 2 * HD, offK = c.packed ? HD : 0, offV = c.packed ? 2 * HD : HD;
  int used = c.used < 0 ? c.LK : c.used;
  Half q(bf, (size_t)c.B * c.LQ * SQ, 1), kv(bf, (size_t)c.B * c.LK * SK, 1), out(bf, (size_t)c.B * c.LQ * HD);
  if (c.packed) memcpy(kv.p, q.p, q.n * 2);
  std::vector<float> mask((size_t)c.B * c.LK, 1);
  if (c.mask)
    for (size_t i = 0; i < mask.size(); i++)
      if (gen() % 3 == 0 || (c.B > 1 && i < (size_t)c.LK)) { // picture 0 sees nothing
        mask[i] = 0;
        if (!c.packed) for (int d = 0; d < SK; d++) kv.set(i * SK + d, NAN); // a key not there may hold anything
      }
  std::vector<double> want(out.n);
  for (int b = 0; b < c.B; b++)
    for (int h = 0; h < c.H; h++)
      for (int i = 0; i < c.LQ; i++) {
        std::vector<double> p(used);
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < used; j++) {
          p[j] = -INFINITY;
          if (mask[(size_t)b * c.LK + j] == 0 || (c.causal && j > i + used - c.LQ)) continue;
          double s = 0;
          for (int d = 0; d < c.D; d++) s += (double)q.at(((size_t)b * c.LQ + i) * SQ + h * c.D + d) * kv.at(((size_t)b * c.LK + j) * SK + offK + h * c.D + d);
          p[j] = s / sqrt(c.D);
          top = std::max(top, p[j]);
        }
        for (double &x : p) x = x == -INFINITY ? 0 : exp(x - top), sum += x;
        for (int d = 0; d < c.D; d++) {
          double o = 0;
          for (int j = 0; j < used; j++)
            if (p[j]) o += p[j] / sum * kv.at(((size_t)b * c.LK + j) * SK + offV + h * c.D + d);
          want[((size_t)b * c.LQ + i) * HD + h * c.D + d] = o;
        }
      }
  AttnArgs g = {};
  g.out = out.p, g.q = q.p, g.k = g.v = kv.p, g.mask = c.mask ? mask.data() : 0, g.used = c.used < 0 ? 0 : &used;
  g.LQ = c.LQ, g.LK = c.LK, g.strideQ = SQ, g.strideK = g.strideV = SK, g.strideO = HD, g.offK = offK, g.offV = offV, g.causal = c.causal, g.scale = 1 / sqrtf(c.D);
  int BQ, BKV, PITCH;
  void (*k)(AttnArgs);
  switch (c.D) {
  case 32: BQ = 64, BKV = 64, PITCH = 80, k = bf ? tc_attn_bf16_32 : tc_attn_f16_32; break;
  case 40: BQ = 128, BKV = 64, PITCH = 112, k = bf ? tc_attn_bf16_40 : tc_attn_f16_40; break;
  case 64: BQ = 64, BKV = 64, PITCH = 144, k = bf ? tc_attn_bf16_64 : tc_attn_f16_64; break;
  case 80: BQ = 64, BKV = 64, PITCH = 176, k = bf ? tc_attn_bf16_80 : tc_attn_f16_80; break;
  case 160: BQ = 64, BKV = 32, PITCH = 336, k = bf ? tc_attn_bf16_160 : tc_attn_f16_160; break;
  default: BQ = 32, BKV = 0, PITCH = 0, k = bf ? tc_attn_bf16_512 : tc_attn_f16_512;
  }
  unsigned sh = c.D == 512 ? 101120 : (BQ + 4 * BKV) * PITCH;
  must(what, launch(k, {(unsigned)(c.LQ + BQ - 1) / BQ, (unsigned)c.H, (unsigned)c.B}, {128, 1, 1}, sh, g) == 0);
  // Weights round to halves and so does their exponent's argument: about 2^-11 or 2^-8 of the values, which are of order 1.
  check(what, want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, bf ? 8e-3 : 1.2e-3));
}
int main() {
  for (bool bf : {false, true})
    for (int D : {32, 40, 64, 80, 160, 512}) {
      bool big = D == 512;
      run_case(bf, {D, 1, big ? 1 : 2, 64, 64, false, false, -1, true});
      run_case(bf, {D, 2, big ? 1 : 3, 77, 77, true, false, -1, true});
      run_case(bf, {D, 2, 1, 70, 131, false, true, -1, false});
      run_case(bf, {D, 1, 1, 5, 90, true, false, 67, false});
      run_case(bf, {D, 1, 2, 1, 40, true, true, 33, false});
      run_case(bf, {D, 1, 1, 130, 50, false, false, -1, false});
      run_case(bf, {D, 1, 1, 40, 24, true, false, -1, false}); // the first queries see no key
      run_case(bf, {D, 1, 1, 3, 16, false, false, 0, false});  // nor does any here
    }
  must("attention: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("attention");
}
