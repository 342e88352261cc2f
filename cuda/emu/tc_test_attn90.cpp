//go:build ignore

#include "tc_check_attn.h"
#include "../src/tc_attn90.cu"

typedef void (*Kernel)(TMap, TMap, TMap, AttnArgs, int, int);
struct Shape { int D, BQ, BKV, threads, shared; Kernel f16, bf16; };
static const Shape shapes[] = {
    {32, 128, 128, 384, Flash90<false, 32, 128, 2>::SHARED, tc_attn90_f16_32, tc_attn90_bf16_32},
    {40, 128, 128, 384, Flash90<false, 40, 128, 2>::SHARED, tc_attn90_f16_40, tc_attn90_bf16_40},
    {64, 128, 64, 384, Flash90<false, 64, 64, 2>::SHARED, tc_attn90_f16_64, tc_attn90_bf16_64},
    {80, 128, 64, 384, Flash90<false, 80, 64, 2>::SHARED, tc_attn90_f16_80, tc_attn90_bf16_80},
    {160, 64, 64, 256, Flash90<false, 160, 64, 1>::SHARED, tc_attn90_f16_160, tc_attn90_bf16_160},
};
static int start(bool bf, Case c, AttnArgs g) {
  const Shape *s = shapes;
  while (s->D != c.D) s++;
  int items = (c.LQ + s->BQ - 1) / s->BQ * c.H * c.B;
  TMap q = head_map((const uint16_t *)g.q + g.offQ, c.D, c.H, c.LQ, c.B, g.strideQ, s->BQ);
  TMap k = head_map((const uint16_t *)g.k + g.offK, c.D, c.H, c.LK, c.B, g.strideK, s->BKV);
  TMap v = head_map((const uint16_t *)g.v + g.offV, c.D, c.H, c.LK, c.B, g.strideV, s->BKV);
  return launch(bf ? s->bf16 : s->f16, {(unsigned)std::min(items, 2), 1, 1}, {(unsigned)s->threads, 1, 1}, (unsigned)s->shared, q, k, v, g, c.H, c.B);
}
static __global__ void exponentials(float *y, const float *x, int n) {
  for (int i = threadIdx.x; i < n; i += 32) y[i] = exp2f_fma(x[i]);
}
static void check_exponentials() {
  Vec<float> x, y;
  for (int i = 0; i <= 20000; i++) x.push_back((float)i * -0.00683f + 10);
  for (float v : {-127.0f, -1e30f, -INFINITY, NAN}) x.push_back(v);
  int n = (int)x.size();
  y.resize(n);
  must("exp2f_fma", launch(exponentials, {1, 1, 1}, {32, 1, 1}, 0, y.data(), (const float *)x.data(), n) == 0);
  double worst = 0;
  for (int i = 0; i < n - 4; i++) {
    double want = exp2((double)x[i]);
    worst = std::max(worst, x[i] > -126 ? fabs(y[i] / want - 1) : y[i] >= 0 && y[i] < 2.4e-38 ? 0.0 : 1.0);
  }
  must("exp2f_fma: exact enough", worst < 1.1e-4);
  must("exp2f_fma: hidden scores weigh nothing", y[n - 4] == 0 && y[n - 3] == 0 && y[n - 2] == 0);
  must("exp2f_fma: NaN shows", !(y[n - 1] < 1e38f));
}
int main() {
  for (auto &s : shapes) must("the shared memory that the host asks for", s.shared == (s.D == 64 ? 114944 : s.D == 80 ? 164096 : s.D == 160 ? 221440 : 147712));
  check_exponentials();
  for (bool bf : {false, true})
    for (int D : {32, 40, 64, 80, 160}) {
      run_case(bf, {D, 1, 2, 192, 128, false, false, -1, false}, start);
      run_case(bf, {D, 2, 2, 77, 77, true, false, -1, true}, start);
      run_case(bf, {D, 2, 1, 70, 300, false, true, -1, false}, start);
      run_case(bf, {D, 1, 1, 200, 800, false, false, -1, false}, start); // more tiles than stages
      run_case(bf, {D, 1, 1, 250, 290, true, false, 267, false}, start);
      run_case(bf, {D, 1, 2, 1, 40, true, true, 33, false}, start);
      run_case(bf, {D, 1, 1, 40, 24, true, false, -1, false}, start); // the first queries see no key
      run_case(bf, {D, 1, 1, 3, 16, false, false, 0, false}, start);  // nor does any here
      run_case(bf, {D, 3, 3, 66, 130, false, false, -1, true}, start);  // more items than blocks
      run_case(bf, {D, 1, 1, 64, 520, false, false, -1, false, 6}, start); // scores that outgrow a base
      nan_case(bf, D, start);
    }
  must("attention 90: no bank conflicts", stats.conflicts == 0 && stats.reads > 0);
  return done("attention 90");
}
