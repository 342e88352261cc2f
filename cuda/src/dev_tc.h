// The device primitives of the tensor-core kernels (tc_*.cu): PTX on a GPU, their
// strict CPU twins of emu/tc.h in tests. Kernels use these and write no asm.
//
// Half values travel as raw bits; BF says which kind: false f16, true bf16.
// Source: PTX ISA 8.0, sections cp.async, ldmatrix, mma, mbarrier, wgmma.
#pragma once
#include <stdint.h>
#ifdef CUDA_EMU
#include "../emu/tc.h"
#else
#define DEV static __device__ __forceinline__
#define DEV_M __device__ __forceinline__
#define TC_KERNEL(name)
// The kernel's dynamic shared memory, aligned for a 128-byte swizzle.
#define TC_SMEM(name) extern __shared__ __align__(1024) unsigned char name[]
typedef uint32_t smem_t;

DEV smem_t smem_addr(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }

// cp_async16 copies n (0 to 16) bytes and fills the rest of 16 with zeros.
DEV void cp_async16(smem_t d, const void *s, int n) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(d), "l"(s), "r"(n) : "memory");
}
DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEV void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

DEV uint4 lds128(smem_t a) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(a) : "memory");
  return v;
}
DEV void sts128(smem_t a, uint4 v) {
  asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(a), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
DEV void sts64(smem_t a, float x, float y) { asm volatile("st.shared.v2.f32 [%0], {%1,%2};" ::"r"(a), "f"(x), "f"(y) : "memory"); }
DEV void sts32(smem_t a, uint32_t v) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(a), "r"(v) : "memory"); }
DEV void sts16(smem_t a, uint16_t v) { asm volatile("st.shared.u16 [%0], %1;" ::"r"(a), "h"(v) : "memory"); }
DEV float4 lds128f(smem_t a) {
  float4 v;
  asm volatile("ld.shared.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(a) : "memory");
  return v;
}
DEV float lds32f(smem_t a) { float v; asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v) : "r"(a) : "memory"); return v; }
DEV uint32_t f32_bits(float v) { return __float_as_uint(v); }
DEV float bits_f32(uint32_t v) { return __uint_as_float(v); }
// fmax_nan is NaN if either is.
DEV float fmax_nan(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
DEV uint4 ldg128(const void *p) { return *(const uint4 *)p; }
DEV float4 ldg128f(const void *p) { return *(const float4 *)p; }
DEV float2 ldg64f(const void *p) { return *(const float2 *)p; }
// ldcg128f reads past the L1 cache: what another block has just written.
DEV float4 ldcg128f(const void *p) { return __ldcg((const float4 *)p); }
DEV float2 ldcg64f(const void *p) { return __ldcg((const float2 *)p); }
DEV void stg128(void *p, uint4 v) { *(uint4 *)p = v; }
DEV void stg128f(void *p, float4 v) { *(float4 *)p = v; }
DEV void stg64f(void *p, float2 v) { *(float2 *)p = v; }

DEV void ldmatrix4(uint32_t *r, smem_t a) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(a) : "memory");
}
DEV void ldmatrix4t(uint32_t *r, smem_t a) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(a) : "memory");
}
DEV void ldmatrix2t(uint32_t *r, smem_t a) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(a) : "memory");
}
// mma adds A (16x16) · B (16x8) to c, the accumulators of one m16n8k16.
template <bool BF> DEV void mma(float *c, const uint32_t *a, uint32_t b0, uint32_t b1) {
  if constexpr (BF)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <bool BF> DEV uint32_t pack2(float lo, float hi) {
  uint32_t u;
  if constexpr (BF) asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(hi), "f"(lo));
  else asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(hi), "f"(lo));
  return u;
}
template <bool BF> DEV float unpack(uint16_t h) {
  if constexpr (BF) return __uint_as_float((uint32_t)h << 16);
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}
DEV float exp2f_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
// exp2_2 gives the half pair 2^lo, 2^hi. By f32: the paired f16 operation is two of the
// same unit's in SASS and less exact.
template <bool BF> DEV uint32_t exp2_2(float lo, float hi) { return pack2<BF>(exp2f_fast(lo), exp2f_fast(hi)); }
DEV float rcp_fast(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

// regs_fence keeps reads and writes of v, operands of a wgmma, behind the wgmma_wait before it.
template <class T> DEV void regs_fence(T *v, int n) {
#pragma unroll
  for (int i = 0; i < n; i++) {
    if constexpr (sizeof(T) == 4 && T(0.5f) == 0) asm volatile("" : "+r"(v[i])::"memory");
    else asm volatile("" : "+f"(v[i])::"memory");
  }
}

// bar_sync is a barrier among N threads; 0 is __syncthreads' own.
template <int ID, int N> DEV void bar_sync() { asm volatile("bar.sync %0, %1;" ::"n"(ID), "n"(N) : "memory"); }
// The same with an id at run time; bar_arrive counts without waiting.
template <int N> DEV void bar_sync(int id) { asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(N) : "memory"); }
template <int N> DEV void bar_arrive(int id) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "n"(N) : "memory"); }

// pdl_wait waits for the launches before this one, pdl_launch lets the next one
// start its prologue; both do nothing unless the launch asks for it.
DEV void pdl_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEV void pdl_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// A CUtensorMap, passed as a __grid_constant__ parameter.
struct __align__(64) TMap { unsigned char b[128]; };
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
// mb_* work on an mbarrier, 8 bytes of shared memory. mb_wait returns once the phase of
// this parity (0 at first) is complete; mb_expect arrives and announces n bytes of tma_load.
DEV void mb_init(smem_t b, int n) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(b), "r"(n) : "memory"); }
DEV void mb_fence_init() { asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory"); }
DEV void mb_arrive(smem_t b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(b) : "memory"); }
DEV void mb_expect(smem_t b, int n) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(b), "r"(n) : "memory"); }
DEV void mb_wait(smem_t b, int parity) {
  asm volatile("{\n.reg .pred P;\nL:\nmbarrier.try_wait.parity.shared::cta.b64 P, [%0], %1;\n@P bra D;\nbra L;\nD:\n}" ::"r"(b), "r"(parity) : "memory");
}
// tma_load copies the map's box at column x, row y; what lies outside is zero.
DEV void tma_load(smem_t d, const TMap *m, smem_t bar, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(d), "l"(m), "r"(bar), "r"(x), "r"(y) : "memory");
}
// tma_fetch brings the map itself nearer.
DEV void tma_fetch(const TMap *m) { asm volatile("prefetch.tensormap [%0];" ::"l"(m) : "memory"); }
// tma_load4 does so for a map of four dimensions: channels, pixels, rows, pictures.
DEV void tma_load4(smem_t d, const TMap *m, smem_t bar, int c, int x, int y, int n) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(d), "l"(m), "r"(bar), "r"(c), "r"(x), "r"(y), "r"(n) : "memory");
}
// fence_async lets TMA and wgmma see this thread's earlier stores to shared memory.
DEV void fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEV void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEV void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> DEV void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }
template <int N> DEV void regs_more() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> DEV void regs_less() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }
#include "tc_wgmma.h"
#endif
#endif

template <bool BF> DEV float lo2(uint32_t u) { return unpack<BF>((uint16_t)u); }
template <bool BF> DEV float hi2(uint32_t u) { return unpack<BF>((uint16_t)(u >> 16)); }
// unpack8 widens 16 bytes to eight values.
template <bool BF> DEV void unpack8(float *v, uint4 u) {
  v[0] = lo2<BF>(u.x), v[1] = hi2<BF>(u.x), v[2] = lo2<BF>(u.y), v[3] = hi2<BF>(u.y);
  v[4] = lo2<BF>(u.z), v[5] = hi2<BF>(u.z), v[6] = lo2<BF>(u.w), v[7] = hi2<BF>(u.w);
}
template <bool BF> DEV uint4 pack8(const float *v) {
  return make_uint4(pack2<BF>(v[0], v[1]), pack2<BF>(v[2], v[3]), pack2<BF>(v[4], v[5]), pack2<BF>(v[6], v[7]));
}

// wg_desc describes rows of 64 halves in shared memory as TMA's 128-byte swizzle lays
// them, 8 rows in 1024 bytes; a is a multiple of 1024 plus 32 for each 16 columns.
DEV uint64_t wg_desc(smem_t a) {
  return (uint64_t)((a & 0x3ffff) >> 4) | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}
// wg_desc_t describes B of wgmma_at: [16][N] halves, in blocks of 64 columns block bytes
// apart, each of 128-byte rows in the same swizzle; a is a multiple of 1024.
DEV uint64_t wg_desc_t(smem_t a, int block) {
  return (uint64_t)((a & 0x3ffff) >> 4) | (uint64_t)(block >> 4) << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}
// wg_desc_add moves a descriptor on by so many bytes, of the same tile.
DEV uint64_t wg_desc_add(uint64_t d, int bytes) { return (d & ~0xffffffffull) | (uint32_t)((uint32_t)d + (bytes >> 4)); }
