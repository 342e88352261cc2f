// What the emulated kernel tests share: random half tensors, slow references in
// float64, and a comparison that counts failures.
#pragma once
#ifdef __CUDACC__
#include "tc_gpu.h"
#else
#include "tc.h"
static inline void *take(size_t bytes) { // ends where it ends, for AddressSanitizer
  void *p = 0;
  if (posix_memalign(&p, 16, bytes)) abort();
  return p;
}
static inline void give(void *p) { free(p); }
static inline TMap tensor_map(const void *p, uint64_t cols, uint64_t rows, uint64_t stride, uint32_t box_rows) {
  return {p, {cols, rows, 1, 1}, {stride, 16, 16}, {64, box_rows, 1, 1}, {1, 1, 1, 1}};
}
// picture_map describes [N,H,W,C] in boxes of 64 channels x bw x bh x bn, every step-th pixel.
static inline TMap picture_map(const void *p, uint64_t N, uint64_t H, uint64_t W, uint64_t C, uint32_t bw, uint32_t bh, uint32_t bn, uint32_t step) {
  return {p, {C, W, H, N}, {C * 2, W * C * 2, H * W * C * 2}, {64, bw * step, bh * step, bn}, {1, step, step, 1}};
}
// head_map describes the heads of [B,L,stride] in boxes of 64 columns x rows of one head.
static inline TMap head_map(const void *p, uint64_t D, uint64_t H, uint64_t L, uint64_t B, uint64_t stride, uint32_t rows) {
  return {p, {D, H, L, B}, {D * 2, stride * 2, L * stride * 2}, {64, 1, rows, 1}, {1, 1, 1, 1}};
}
#endif
#include <cmath>
#include <random>
#include <string>
#include <vector>

static std::mt19937 gen(7);
static int failures, checks;

// Vec is a vector that kernels may use.
template <class T> struct Memory {
  typedef T value_type;
  Memory() {}
  template <class U> Memory(const Memory<U> &) {}
  T *allocate(size_t n) { return (T *)take(n * sizeof(T)); }
  void deallocate(T *p, size_t) { give(p); }
  bool operator==(const Memory &) const { return true; }
  bool operator!=(const Memory &) const { return false; }
};
template <class T> using Vec = std::vector<T, Memory<T>>;

// Half is a tensor of halves.
struct Half {
  bool bf;
  size_t n;
  uint16_t *p;
  Half(bool bf, size_t n, float scale = 0) : bf(bf), n(n) {
    p = (uint16_t *)take(n * 2);
    std::normal_distribution<float> d(0, scale > 0 ? scale : 1);
    for (size_t i = 0; i < n; i++) set(i, scale > 0 ? d(gen) : NAN);
  }
  ~Half() { give(p); }
  Half(const Half &) = delete;
  float at(size_t i) const { return bf ? from_bf16(p[i]) : from_f16(p[i]); }
  void set(size_t i, float v) { p[i] = bf ? to_bf16(v) : to_f16(v); }
};
static inline Vec<float> floats(size_t n, float scale, float mean = 0) {
  std::normal_distribution<float> d(mean, scale);
  Vec<float> v(n);
  for (auto &x : v) x = d(gen);
  return v;
}

// A result may differ by half a unit of its last place (rel) plus abs, which
// covers the order of f32 sums and the fast exponentials.
struct Tol { double rel, abs; };
static inline Tol tol(bool bf, double abs) { return {bf ? 1.02 / 256 : 1.02 / 2048, abs}; }
template <class F> static inline void check(const std::string &what, size_t n, F got, const std::vector<double> &want, Tol t) {
  checks++;
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    double d = fabs((double)got(i) - want[i]) / (t.abs + t.rel * fabs(want[i]));
    if (want[i] != want[i]) d = got(i) != got(i) ? 0 : 1e9;
    else if (std::isinf(want[i])) d = got(i) == want[i] ? 0 : 1e9;
    if (!(d <= worst)) worst = d == d ? d : 1e9, at = i;
    if (worst >= 1e9) break;
  }
  if (!(worst <= 1)) {
    failures++;
    printf("FAIL %s: element %zu is %g, not %g (%.3g of the tolerance)\n", what.c_str(), at, (double)got(at), want[at], worst);
  } else if (getenv("TC_VERBOSE")) printf("ok   %s: %.2g of the tolerance\n", what.c_str(), worst);
}
static inline void must(const std::string &what, bool ok) {
  checks++;
  if (!ok) failures++, printf("FAIL %s\n", what.c_str());
}
static inline int done(const char *name) {
  printf("%s: %d checks, %d failures\n", name, checks, failures);
  return failures != 0;
}

static inline double ref_act(int a, double x) { // ref.Act's order
  auto gate = [](double x, double k) { return std::isinf(x) && x < 0 ? 0 : x / (1 + exp(-k * x)); };
  switch (a) {
  case 1: return x < 0 ? 0 : x;
  case 2: return gate(x, 1.702);
  case 3: return std::isinf(x) && x < 0 ? 0 : 0.5 * x * erfc(-x / sqrt(2.0));
  case 4: return std::isinf(x) && x < 0 ? 0 : 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case 5: return gate(x, 1);
  case 6: return 1 / (1 + exp(-x));
  case 7: return tanh(x);
  }
  return x;
}
