// Halves on the CPU.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

static inline float from_bf16(uint16_t h) { uint32_t u = (uint32_t)h << 16; float f; memcpy(&f, &u, 4); return f; }
static inline uint16_t to_bf16(float f) {
  uint32_t u; memcpy(&u, &f, 4);
  if (f != f) return 0x7fff;
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
#if defined(__F16C__)
static inline float from_f16(uint16_t h) { return _cvtsh_ss(h); }
static inline uint16_t to_f16(float f) { return _cvtss_sh(f, 0); }
#else
static inline float from_f16(uint16_t h) {
  int e = h >> 10 & 31, m = h & 1023;
  float v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexpf((float)(m | 1024), e - 25) : ldexpf((float)m, -24);
  return h >> 15 ? -v : v;
}
static inline uint16_t to_f16(float f) {
  uint16_t s = signbit(f) ? 0x8000 : 0;
  float a = fabsf(f);
  if (f != f) return 0x7fff;
  if (a >= 65520.0f) return s | 0x7c00;
  if (a < 0x1p-14f) return s | (uint16_t)lrintf(a * 0x1p24f);
  uint32_t u; memcpy(&u, &a, 4);
  u += 0xfff + (u >> 13 & 1);
  return s | (uint16_t)((u >> 13) - (112 << 10));
}
#endif
