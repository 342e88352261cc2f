// CUDA C++ on the CPU: one fiber per CUDA thread, one block at a time per thread
// of the machine. What the kernels of src use and no more.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <utility>
using std::max;
using std::min;
#define __shared__ static thread_local
#define __align__(n) __attribute__((aligned(n)))
#define DEV static inline
#define DEV_M inline
#define KERNEL(threads) extern "C" void
struct emu_dim3 { unsigned x, y, z; };
// What belongs to the running CUDA thread; emu.cpp switches it with the fiber.
struct emu_thread { emu_dim3 thread, block, block_dim, grid_dim; int lane; };
extern thread_local emu_thread emu_now;
#define threadIdx emu_now.thread
#define blockIdx emu_now.block
#define blockDim emu_now.block_dim
#define gridDim emu_now.grid_dim
struct __attribute__((aligned(16))) float4 { float x, y, z, w; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct uint2 { uint32_t x, y; };
struct __attribute__((aligned(16))) uint4 { uint32_t x, y, z, w; };
static inline void grid_wait() {}
static inline uint32_t float_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float bits_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
static inline float half_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
  if (e == 31) return bits_float(sign | 0x7f800000 | m << 13);
  if (e == 0) return (sign ? -1.0f : 1.0f) * (float)m * 0x1p-24f;
  return bits_float(sign | (e + 112) << 23 | m << 13);
}
static inline uint16_t float_half(float f) {
  uint32_t u = float_bits(f), a = u & 0x7fffffff;
  uint16_t s = u >> 16 & 0x8000;
  if (f != f) return 0x7fff;
  if (a >= 0x477ff000) return s | 0x7c00; // from 65520 on
  if (a < 0x38800000) return s | (uint16_t)lrintf(bits_float(a) * 0x1p24f);
  a += 0xfff + (a >> 13 & 1);
  return s | (uint16_t)((a >> 13) - (112 << 10));
}

// Blocks run at the same time on several threads, so atomics are real.
static inline unsigned long long atomicMin(unsigned long long *p, unsigned long long v) {
  unsigned long long old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (v < old && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
static inline int atomicAdd(int *p, int v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline int atomicMax(int *p, int v) {
  int old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (v > old && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}

void __syncthreads();
// emu_exchange waits for the warp's lanes of mask and returns the v of each, 16
// bytes apart.
void *emu_exchange(unsigned mask, const void *v, int n);
static inline void __syncwarp(unsigned mask = ~0u) { char c = 0; emu_exchange(mask, &c, 1); }
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int x) {
  char *all = (char *)emu_exchange(mask, &v, sizeof v);
  return *(T *)(all + (emu_now.lane ^ x) * 16);
}

// A kernel as the driver launches it: its name, a call by the addresses of its
// arguments, and the arguments' sizes.
struct emu_kernel { const char *name; void (*call)(void *const *); const int *sizes; int count; };
void emu_register(const emu_kernel *k);
template <class... A> struct emu_sizes { static constexpr int of[sizeof...(A) + 1] = {(int)sizeof(A)..., 0}; };
template <class... A, size_t... I> static inline void emu_call(void (*k)(A...), void *const *p, std::index_sequence<I...>) { k(*(A *)p[I]...); }
template <class... A> static inline void emu_call(void (*k)(A...), void *const *p) { emu_call(k, p, std::index_sequence_for<A...>{}); }
template <class... A> static inline emu_kernel emu_describe(const char *name, void (*)(A...), void (*call)(void *const *)) {
  return {name, call, emu_sizes<A...>::of, (int)sizeof...(A)};
}
#define EMU_KERNEL(n)                                                                                      \
  static struct n##_reg {                                                                                  \
    emu_kernel k;                                                                                          \
    n##_reg() : k(emu_describe(#n, n, [](void *const *p) { emu_call(n, p); })) { emu_register(&k); }       \
  } n##_reg_;
