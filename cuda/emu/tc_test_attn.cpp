//go:build ignore

#include "tc_check_attn.h"
#include "../src/tc_attn.cu"
#include "../src/tc_attn_one.cu"
#include "../src/tc_attn_short.cu"

static int start(bool bf, Case c, AttnArgs g) {
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
  return launch(k, {(unsigned)(c.LQ + BQ - 1) / BQ, (unsigned)c.H, (unsigned)c.B}, {128, 1, 1}, sh, g);
}
static int start_short(bool bf, Case c, AttnArgs g) {
  int PITCH;
  void (*k)(AttnArgs);
  switch (c.D) {
  case 40: PITCH = 112, k = bf ? tc_attn_short_bf16_40 : tc_attn_short_f16_40; break;
  case 64: PITCH = 144, k = bf ? tc_attn_short_bf16_64 : tc_attn_short_f16_64; break;
  case 80: PITCH = 176, k = bf ? tc_attn_short_bf16_80 : tc_attn_short_f16_80; break;
  default: PITCH = 336, k = bf ? tc_attn_short_bf16_160 : tc_attn_short_f16_160;
  }
  return launch(k, {(unsigned)(c.LQ + 191) / 192, (unsigned)c.H, (unsigned)c.B}, {128, 1, 1}, (unsigned)(288 * PITCH), g);
}
static int start_one(bool bf, Case c, AttnArgs g) {
  void (*k[2][4])(AttnArgs, int) = {{tc_attn_one_f16_64, tc_attn_one_f16_128, tc_attn_one_f16_192, tc_attn_one_f16_256}, {tc_attn_one_bf16_64, tc_attn_one_bf16_128, tc_attn_one_bf16_192, tc_attn_one_bf16_256}};
  int C = (c.D + 63) / 64;
  return launch(k[bf][C - 1], {(unsigned)c.H, (unsigned)c.B, 1}, {128, 1, 1}, (unsigned)(64 * (64 * C + 4)), g, c.D);
}
int main() {
  for (bool bf : {false, true})
    for (int D : {32, 40, 64, 80, 160, 512}) {
      bool big = D == 512;
      run_case(bf, {D, 1, big ? 1 : 2, 64, 64, false, false, -1, true}, start);
      run_case(bf, {D, 2, big ? 1 : 3, 77, 77, true, false, -1, true}, start);
      run_case(bf, {D, 2, 1, 70, 131, false, true, -1, false}, start);
      run_case(bf, {D, 1, 1, 5, 90, true, false, 67, false}, start);
      run_case(bf, {D, 1, 2, 1, 40, true, true, 33, false}, start);
      run_case(bf, {D, 1, 1, 130, 50, false, false, -1, false}, start);
      run_case(bf, {D, 1, 1, 40, 24, true, false, -1, false}, start); // the first queries see no key
      run_case(bf, {D, 1, 1, 3, 16, false, false, 0, false}, start);  // nor does any here
      nan_case(bf, D, start);
    }
  for (bool bf : {false, true})
    for (int D : {40, 64, 80, 160}) {
      run_case(bf, {D, 2, 2, 64, 64, false, false, -1, true}, start_short);
      run_case(bf, {D, 2, 1, 77, 77, true, false, -1, true}, start_short);
      run_case(bf, {D, 2, 1, 300, 77, false, true, -1, false}, start_short);
      run_case(bf, {D, 1, 1, 5, 80, true, false, 67, false}, start_short);
      run_case(bf, {D, 1, 2, 1, 40, true, true, 33, false}, start_short);
      run_case(bf, {D, 1, 1, 500, 50, false, false, -1, false}, start_short);
      run_case(bf, {D, 1, 1, 40, 24, true, false, -1, false}, start_short);
      run_case(bf, {D, 1, 1, 3, 16, false, false, 0, false}, start_short);
      nan_case(bf, D, start_short);
    }
  for (bool bf : {false, true})
    for (int D : {8, 40, 64, 80, 192, 200, 256}) {
      run_case(bf, {D, 2, 2, 1, 21, false, false, 17, false}, start_one);
      run_case(bf, {D, 2, 1, 1, 77, true, true, 70, false}, start_one);
      run_case(bf, {D, 1, 3, 1, 1, false, false, -1, true}, start_one);
      run_case(bf, {D, 1, 1, 1, 40, true, false, -1, false, 30}, start_one);
      run_case(bf, {D, 1, 1, 1, 16, false, false, 0, false}, start_one); // no key at all
      nan_case(bf, D, start_one, 1);
    }
  must("attention: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("attention");
}
