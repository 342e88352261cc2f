// CUDA C++ with tensor cores on the CPU, strict where it is cheap:
//   - one fiber per CUDA thread; warps drift apart as far as barriers let them,
//     in an order that TC_EMU_ORDER shuffles;
//   - shared memory starts as NaN and every access is checked for bounds and
//     alignment, as are the vector accesses to global memory;
//   - cp.async poisons its target and writes it only at the wait_group that
//     covers it, so a missing wait or a stage reused too early gives NaN;
//   - ldmatrix, mma and wgmma have the exact fragment layouts; bank conflicts of
//     ldmatrix are counted.
// Weaker than a GPU: few blocks run at once, a thread's ordinary stores are visible
// to its block at once, fences go unchecked, sums have another order,
// and wgmma takes only the descriptors of wg_desc.
#pragma once
#include "tc_run.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <utility>
#include "tc_half.h"
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define DEV static inline
#define DEV_M inline
#define TC_SMEM(name) unsigned char *name = tcemu::smem

namespace tcemu {
struct dim3 { unsigned x, y, z; };
struct __attribute__((aligned(16))) uint4 { uint32_t x, y, z, w; };
struct __attribute__((aligned(16))) float4 { float x, y, z, w; };
struct __attribute__((aligned(8))) float2 { float x, y; };
static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
extern thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
extern thread_local unsigned char smem[];
extern thread_local int lane;
extern thread_local unsigned smem_size; // of the running launch
struct Stats { unsigned long long reads, conflicts; }; // shared-memory phases of 8 lanes, extra cycles
extern thread_local Stats stats;

[[noreturn]] void fail(const char *what);
void syncthreads();
void bar_sync(int id, int threads);
void bar_arrive(int id, int threads);
// Every lane's v, 128 bytes apart; the last lane to arrive runs fin on them.
char *exchange(unsigned mask, const void *v, int n, void (*fin)(char *));
void cp_async(uint32_t d, const void *s, int n);
void cp_commit();
void cp_wait(int left);

typedef void (*thunk)(const void *);
// run runs a launch (grid, block, shared bytes): with shared its blocks go to all threads,
// else to the caller's, one after another, which alone fills stats.
int run(thunk t, const unsigned *dims, const void *call, bool shared = false);
template <class... A> static inline int launch(void (*k)(A...), dim3 g, dim3 b, unsigned sh, A... a) {
  auto call = [&] { k(a...); };
  typedef decltype(call) F;
  unsigned d[7] = {g.x, g.y, g.z, b.x, b.y, b.z, sh};
  return run([](const void *c) { (*(const F *)c)(); }, d, &call);
}

// A kernel by its name, with its parameters as cuLaunchKernel passes them.
void add_kernel(const char *name, tcemu_entry k);
template <class... A> struct Sizes { static constexpr int of[sizeof...(A) + 1] = {(int)sizeof(A)..., 0}; };
template <class... A> static inline tcemu_entry describe(void (*)(A...), void (*call)(void *const *)) { return {call, Sizes<A...>::of, (int)sizeof...(A)}; }
template <class... A, size_t... I> static inline void call(void (*k)(A...), void *const *p, std::index_sequence<I...>) { k(*(A *)p[I]...); }
template <class... A> static inline void call(void (*k)(A...), void *const *p) { call(k, p, std::index_sequence_for<A...>{}); }

template <bool BF> static inline float widen(uint16_t h) { return BF ? from_bf16(h) : from_f16(h); }
template <bool BF> static inline uint16_t narrow(float f) { return BF ? to_bf16(f) : to_f16(f); }

static inline void aligned(const void *p, int n) { if ((uintptr_t)p & (n - 1)) fail("misaligned global access"); }
static inline unsigned char *shared(uint32_t a, int n) {
  if (a & (n - 1)) fail("misaligned shared access");
  if (a + n > smem_size) fail("shared access beyond the launch's size");
  return smem + a;
}
// TMA, mbarriers and wgmma, as on a Hopper GPU. A tma_load poisons its target, is done at
// some later turn and only then counts its bytes. wgmma captures its operands in registers
// at once, poisons the sums, and reads shared memory and gives the sums at the wait.
struct __attribute__((aligned(64))) TMap { const void *p; uint64_t dims[4], strides[3]; uint32_t box[4], step[4]; }; // strides in bytes; step: every so many elements
void mb_init(uint32_t b, int n);
void mb_arrive(uint32_t b, int bytes);
void mb_wait(uint32_t b, int parity);
void tma_load4(uint32_t d, const TMap *m, uint32_t bar, int c, int x, int y, int n);
static inline void tma_fetch(const TMap *) {}
static inline void tma_load(uint32_t d, const TMap *m, uint32_t bar, int x, int y) { tma_load4(d, m, bar, x, y, 0, 0); }
void wgmma(bool bf, int n, bool fresh, bool turned, float *d, const uint32_t *a, uint64_t da, uint64_t db);
void wgmma_commit();
void wgmma_wait(int left);
void count_banks(const uint32_t *a, int n); // n addresses of 16 bytes, 8 a phase
} // namespace tcemu
using namespace tcemu;
using std::max;
using std::min;
#define TC_KERNEL(name) static struct name##_reg { name##_reg() { tcemu::add_kernel(#name, tcemu::describe(name, [](void *const *p) { tcemu::call(name, p); })); } } name##_reg_;

typedef uint32_t smem_t;
static inline void __syncthreads() { tcemu::syncthreads(); }
static inline void __syncwarp() { char c = 0; tcemu::exchange(~0u, &c, 1, 0); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline unsigned atomicAdd(unsigned *p, unsigned v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
template <class T> static inline T __shfl_xor_sync(unsigned m, T v, int x) { T r; memcpy(&r, tcemu::exchange(m, &v, sizeof v, 0) + (tcemu::lane ^ x) * 128, sizeof r); return r; }
template <class T> static inline T __shfl_sync(unsigned m, T v, int from) { T r; memcpy(&r, tcemu::exchange(m, &v, sizeof v, 0) + (from & 31) * 128, sizeof r); return r; }
static inline unsigned __ballot_sync(unsigned m, int v) {
  char *b = tcemu::exchange(m, &v, sizeof v, 0);
  unsigned r = 0;
  for (int i = 0, x; i < 32; i++) memcpy(&x, b + i * 128, 4), r |= (unsigned)(x != 0) << i;
  return r & m;
}
static inline int __any_sync(unsigned m, int v) { return __ballot_sync(m, v) != 0; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

DEV smem_t smem_addr(const void *p) { return (smem_t)((const unsigned char *)p - tcemu::smem); }
DEV void cp_async16(smem_t d, const void *s, int n) { tcemu::cp_async(d, s, n); }
DEV void cp_async_commit() { tcemu::cp_commit(); }
template <int N> DEV void cp_async_wait() { tcemu::cp_wait(N); }
DEV uint4 lds128(smem_t a) { uint4 v; memcpy(&v, shared(a, 16), 16); return v; }
DEV float4 lds128f(smem_t a) { float4 v; memcpy(&v, shared(a, 16), 16); return v; }
DEV void sts128(smem_t a, uint4 v) { memcpy(shared(a, 16), &v, 16); }
DEV void sts64(smem_t a, float x, float y) { float v[2] = {x, y}; memcpy(shared(a, 8), v, 8); }
DEV void sts16(smem_t a, uint16_t v) { memcpy(shared(a, 2), &v, 2); }
DEV void sts32(smem_t a, uint32_t v) { memcpy(shared(a, 4), &v, 4); }
DEV float lds32f(smem_t a) { float v; memcpy(&v, shared(a, 4), 4); return v; }
DEV uint32_t f32_bits(float v) { uint32_t u; memcpy(&u, &v, 4); return u; }
DEV float bits_f32(uint32_t v) { float f; memcpy(&f, &v, 4); return f; }
DEV float fmax_nan(float a, float b) { return a != a || a > b ? a : b; }
DEV uint4 ldg128(const void *p) { aligned(p, 16); uint4 v; memcpy(&v, p, 16); return v; }
DEV float4 ldg128f(const void *p) { aligned(p, 16); float4 v; memcpy(&v, p, 16); return v; }
DEV float4 ldcg128f(const void *p) { return ldg128f(p); }
DEV float2 ldcg64f(const void *p) { aligned(p, 8); float2 v; memcpy(&v, p, 8); return v; }
DEV float2 ldg64f(const void *p) { return ldcg64f(p); }
DEV void stg128(void *p, uint4 v) { aligned(p, 16); memcpy(p, &v, 16); }
DEV void stg64f(void *p, float2 v) { aligned(p, 8); memcpy(p, &v, 8); }
DEV void stg128f(void *p, float4 v) { aligned(p, 16); memcpy(p, &v, 16); }

template <int N, bool TRANS> DEV void emu_ldmatrix(uint32_t *r, smem_t a) {
  char *b = tcemu::exchange(~0u, &a, 4, [](char *b) {
    uint32_t v[32];
    for (int i = 0; i < 8 * N; i++) memcpy(&v[i], b + 128 * i, 4);
    tcemu::count_banks(v, 8 * N);
  });
  for (int j = 0; j < N; j++) {
    auto row = [&](int i) { uint32_t at; memcpy(&at, b + (8 * j + i) * 128, 4); return shared(at, 16); };
    if (!TRANS) memcpy(&r[j], row(tcemu::lane >> 2) + 4 * (tcemu::lane & 3), 4);
    else
      for (int h = 0; h < 2; h++) memcpy((char *)&r[j] + 2 * h, row(2 * (tcemu::lane & 3) + h) + 2 * (tcemu::lane >> 2), 2);
  }
}
DEV void ldmatrix4(uint32_t *r, smem_t a) { emu_ldmatrix<4, false>(r, a); }
DEV void ldmatrix4t(uint32_t *r, smem_t a) { emu_ldmatrix<4, true>(r, a); }
DEV void ldmatrix2t(uint32_t *r, smem_t a) { emu_ldmatrix<2, true>(r, a); }

struct emu_frag { uint32_t a[4], b[2]; float c[4]; };
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
template <bool BF> DEV void emu_mma(char *buf) {
  float A[16][16], B[16][8], C[16][8];
  for (int l = 0; l < 32; l++) {
    const emu_frag &f = *(emu_frag *)(buf + l * 128);
    int g = l >> 2, t = l & 3;
    for (int i = 0; i < 4; i++) {
      A[g + 8 * (i & 1)][2 * t + 8 * (i >> 1)] = widen<BF>((uint16_t)f.a[i]);
      A[g + 8 * (i & 1)][2 * t + 8 * (i >> 1) + 1] = widen<BF>((uint16_t)(f.a[i] >> 16));
      C[g + 8 * (i >> 1)][2 * t + (i & 1)] = f.c[i];
    }
    for (int i = 0; i < 2; i++) {
      B[2 * t + 8 * i][g] = widen<BF>((uint16_t)f.b[i]);
      B[2 * t + 8 * i + 1][g] = widen<BF>((uint16_t)(f.b[i] >> 16));
    }
  }
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 8; n++) C[m][n] += A[m][k] * B[k][n];
  for (int l = 0; l < 32; l++)
    for (int i = 0; i < 4; i++) ((emu_frag *)(buf + l * 128))->c[i] = C[(l >> 2) + 8 * (i >> 1)][2 * (l & 3) + (i & 1)];
}
template <bool BF> DEV void mma(float *c, const uint32_t *a, uint32_t b0, uint32_t b1) {
  emu_frag f = {{a[0], a[1], a[2], a[3]}, {b0, b1}, {c[0], c[1], c[2], c[3]}};
  memcpy(c, ((emu_frag *)(tcemu::exchange(~0u, &f, sizeof f, emu_mma<BF>) + tcemu::lane * 128))->c, 16);
}
template <bool BF> DEV uint32_t pack2(float lo, float hi) { return narrow<BF>(lo) | (uint32_t)narrow<BF>(hi) << 16; }
template <bool BF> DEV float unpack(uint16_t h) { return widen<BF>(h); }
DEV float exp2f_fast(float x) { return exp2f(x); }
template <bool BF> DEV uint32_t exp2_2(float lo, float hi) { return pack2<BF>(exp2f(lo), exp2f(hi)); }
DEV float rcp_fast(float x) { return 1.0f / x; }
DEV void pdl_wait() {}
DEV void pdl_launch() {}
template <int ID, int N> DEV void bar_sync() { tcemu::bar_sync(ID, N); }
template <int N> DEV void bar_sync(int id) { tcemu::bar_sync(id, N); }
template <int N> DEV void bar_arrive(int id) { tcemu::bar_arrive(id, N); }
DEV void mb_fence_init() {}
DEV void mb_arrive(smem_t b) { tcemu::mb_arrive(b, 0); }
DEV void mb_expect(smem_t b, int n) { tcemu::mb_arrive(b, n); }
DEV void wgmma_fence() {}
DEV void fence_async() {}
template <bool BF, int N, bool FRESH = false> DEV void wgmma(float *d, uint64_t a, uint64_t b) { tcemu::wgmma(BF, N, FRESH, false, d, 0, a, b); }
template <bool BF, int N, bool FRESH = false> DEV void wgmma_a(float *d, const uint32_t *a, uint64_t b) { tcemu::wgmma(BF, N, FRESH, false, d, a, 0, b); }
template <bool BF, int N, bool FRESH = false> DEV void wgmma_at(float *d, const uint32_t *a, uint64_t b) { tcemu::wgmma(BF, N, FRESH, true, d, a, 0, b); }
template <class T> DEV void regs_fence(T *, int) {}
template <int N> DEV void wgmma_wait() { tcemu::wgmma_wait(N); }
template <int N> DEV void regs_more() {}
template <int N> DEV void regs_less() {}
