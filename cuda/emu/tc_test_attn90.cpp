//go:build ignore

#include "tc_check_attn.h"
#include "../src/tc_attn90.cu"

static int start(bool bf, Case c, AttnArgs g) {
  auto k = c.D == 40 ? (bf ? tc_attn90_bf16_40 : tc_attn90_f16_40) : (bf ? tc_attn90_bf16_80 : tc_attn90_f16_80);
  return launch(k, {(unsigned)(c.LQ + 191) / 192, (unsigned)c.H, (unsigned)c.B}, {512, 1, 1}, 116784, g);
}
int main() {
  for (bool bf : {false, true})
    for (int D : {40, 80}) {
      run_case(bf, {D, 1, 2, 192, 128, false, false, -1, false}, start);
      run_case(bf, {D, 2, 2, 77, 77, true, false, -1, true}, start);
      run_case(bf, {D, 2, 1, 70, 300, false, true, -1, false}, start);
      run_case(bf, {D, 1, 1, 200, 520, false, false, -1, false}, start); // more tiles than stages
      run_case(bf, {D, 1, 1, 250, 290, true, false, 267, false}, start);
      run_case(bf, {D, 1, 2, 1, 40, true, true, 33, false}, start);
      run_case(bf, {D, 1, 1, 40, 24, true, false, -1, false}, start); // the first queries see no key
      run_case(bf, {D, 1, 1, 3, 16, false, false, 0, false}, start);  // nor does any here
    }
  must("attention 90: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("attention 90");
}
