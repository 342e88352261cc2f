// One case of attention against its definition, for the kernels of tc_attn*.cu.
#pragma once
#include "tc_check.h"
#include "../src/tc_attn.h"


struct Case {
  int D, B, H, LQ, LK;
  bool causal, mask;
  int used;    // -1 for all
  bool packed; // q, k and v in one projection
  float spread = 1; // of queries
};
// Launch starts the kernel for heads of D and returns what launch does.
template <class Launch> static void run_case(bool bf, Case c, Launch start) {
  char what[160];
  snprintf(what, sizeof what, "attention %s d%d b%d h%d %dx%d causal %d mask %d used %d packed %d", bf ? "bf16" : "f16", c.D, c.B, c.H, c.LQ, c.LK, c.causal, c.mask, c.used, c.packed);
  int HD = c.H * c.D, SQ = c.packed ? 3 * HD : HD + 8, SK = c.packed ? 3 * HD : 2 * HD, offK = c.packed ? HD : 0, offV = c.packed ? 2 * HD : HD;
  int used = c.used < 0 ? c.LK : c.used;
  Vec<int> in_use(1, used);
  Half q(bf, (size_t)c.B * c.LQ * SQ, c.spread), kv(bf, (size_t)c.B * c.LK * SK, 1), out(bf, (size_t)c.B * c.LQ * HD);
  if (c.packed) memcpy(kv.p, q.p, q.n * 2);
  Vec<float> mask((size_t)c.B * c.LK, 1);
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
  g.out = out.p, g.q = q.p, g.k = g.v = kv.p, g.mask = c.mask ? mask.data() : 0, g.used = c.used < 0 ? 0 : in_use.data();
  g.LQ = c.LQ, g.LK = c.LK, g.strideQ = SQ, g.strideK = g.strideV = SK, g.strideO = HD, g.offK = offK, g.offV = offV, g.causal = c.causal, g.scale = 1 / sqrtf(c.D);
  must(what, start(bf, c, g) == 0);
  // Weights round to halves and so does their exponent's argument: about 2^-11 or 2^-8 of the values, which are of order 1.
  check(what, want.size(), [&](size_t i) { return out.at(i); }, want, tol(bf, bf ? 8e-3 : 1.2e-3));
}
// nan_case: a NaN shows in the rows that see it, and in no other head's.
template <class Launch> static void nan_case(bool bf, int D, Launch start, int queries = 43) {
  Case c = {D, 1, 2, queries, 79, true, false, -1, false};
  int S = 2 * D;
  Half q(bf, (size_t)c.LQ * S, 1), k(bf, (size_t)c.LK * S, 1), v(bf, (size_t)c.LK * S, 1), out(bf, (size_t)c.LQ * S);
  const int key = 57, seen_from = key + c.LQ - c.LK;
  k.set((size_t)key * S + D + 3, NAN); // the second head's
  AttnArgs g = {};
  g.out = out.p, g.q = q.p, g.k = k.p, g.v = v.p, g.LQ = c.LQ, g.LK = c.LK, g.strideQ = g.strideK = g.strideV = g.strideO = S, g.causal = 1, g.scale = 1 / sqrtf(D);
  must("attention of a NaN", start(bf, c, g) == 0);
  bool right = true;
  for (int i = 0; i < c.LQ; i++)
    for (int d = 0; d < S; d++) {
      float o = out.at((size_t)i * S + d);
      right &= (o != o) == (d >= D && i >= seen_from);
    }
  must("attention: a NaN where it belongs, heads of " + std::to_string(D), right);
}
