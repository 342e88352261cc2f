// What the plain f32 kernels share. The few primitives that are PTX on a GPU and
// plain C++ in the CPU emulation stand here; kernels write no asm themselves.
#pragma once
#include <stdint.h>
#ifdef CUDA_EMU
#include "../emu/emu.h"
#else
#include <cuda_fp16.h>
#define DEV static __device__ __forceinline__
#define DEV_M __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
DEV float half_float(uint16_t h) { return __half2float(__ushort_as_half(h)); }
DEV uint16_t float_half(float v) { return __half_as_ushort(__float2half_rn(v)); }
DEV float bits_float(uint32_t u) { return __uint_as_float(u); }
DEV uint32_t float_bits(float v) { return __float_as_uint(v); }
// grid_wait waits for the kernels before this one, which programmatic dependent
// launch lets it overtake. Every kernel calls it before it touches memory.
DEV void grid_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
#endif

// A value's elements as they are kept: f32, or halves that are widened when read and
// rounded to nearest even when written. Arithmetic is f32.
enum { KIND_F32, KIND_F16, KIND_BF16 };
DEV uint16_t float_bf16(float v) {
  uint32_t u = float_bits(v);
  return v != v ? 0x7fff : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
struct In {
  const void *p;
  int kind, pad;
  DEV_M explicit operator bool() const { return p; }
  DEV_M float operator[](size_t i) const {
    if (kind == KIND_F32) return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return kind == KIND_F16 ? half_float(h) : bits_float((uint32_t)h << 16);
  }
  DEV_M In operator+(size_t n) const { return In{(const char *)p + n * (kind == KIND_F32 ? 4 : 2), kind, pad}; }
  // wide reports whether four elements from a multiple of four on are one load.
  DEV_M bool wide() const { return !((size_t)p & (kind == KIND_F32 ? 15 : 7)); }
  DEV_M float4 four(size_t i) const {
    if (kind == KIND_F32) return *(const float4 *)((const float *)p + i);
    uint2 u = *(const uint2 *)((const uint16_t *)p + i);
    if (kind == KIND_BF16) return make_float4(bits_float(u.x << 16), bits_float(u.x & 0xffff0000u), bits_float(u.y << 16), bits_float(u.y & 0xffff0000u));
    return make_float4(half_float((uint16_t)u.x), half_float((uint16_t)(u.x >> 16)), half_float((uint16_t)u.y), half_float((uint16_t)(u.y >> 16)));
  }
};
struct Out {
  void *p;
  int kind, pad;
  DEV_M void put(size_t i, float v) const {
    if (kind == KIND_F32) ((float *)p)[i] = v;
    else ((uint16_t *)p)[i] = kind == KIND_F16 ? float_half(v) : float_bf16(v);
  }
  DEV_M Out operator+(size_t n) const { return Out{(char *)p + n * (kind == KIND_F32 ? 4 : 2), kind, pad}; }
  DEV_M bool wide() const { return !((size_t)p & (kind == KIND_F32 ? 15 : 7)); }
  DEV_M void four(size_t i, float4 v) const {
    if (kind == KIND_F32) {
      *(float4 *)((float *)p + i) = v;
      return;
    }
    uint2 u;
    if (kind == KIND_F16) u.x = float_half(v.x) | (uint32_t)float_half(v.y) << 16, u.y = float_half(v.z) | (uint32_t)float_half(v.w) << 16;
    else u.x = float_bf16(v.x) | (uint32_t)float_bf16(v.y) << 16, u.y = float_bf16(v.z) | (uint32_t)float_bf16(v.w) << 16;
    *(uint2 *)((uint16_t *)p + i) = u;
  }
};

// The activations, numbered as kernels/ref's Act.
DEV float activate(float x, int act) {
  switch (act) {
  case 1: return x < 0 ? 0 : x;
  case 2: return x == -INFINITY ? 0 : x / (1 + expf(-1.702f * x));
  case 3: return x == -INFINITY ? 0 : 0.5f * x * erfcf(-0.70710678118654752f * x);
  case 4: return x == -INFINITY ? 0 : 0.5f * x * (1 + tanhf(0.79788456080286536f * fmaf(0.044715f * x * x, x, x)));
  case 5: return x == -INFINITY ? 0 : x / (1 + expf(-x));
  case 6: return 1 / (1 + expf(-x));
  case 7: return tanhf(x);
  }
  return x;
}

// A fault is an index that the data holds and that lies outside. Each step that
// can meet one has a slot, where the first position wins; slot 0 says that there
// is any. All bits set means none.
typedef unsigned long long fault_t;
DEV void report(fault_t *faults, int slot, int position, int value) {
  atomicMin(&faults[slot], (fault_t)(uint32_t)position << 32 | (uint32_t)value);
  atomicMin(&faults[0], 0ull);
}

// Sums and maxima over T threads of a block, in an order that T alone decides:
// T is 32, a warp, or 256, the block. Every thread gets the result.
struct sum_of {
  DEV_M float operator()(float a, float b) const { return a + b; }
};
struct max_of { // a NaN on either side stays
  DEV_M float operator()(float a, float b) const { return a != a || a > b ? a : b; }
};
template <int T, class F> DEV float over(F f, float v) {
  for (int o = 16; o; o >>= 1) v = f(v, __shfl_xor_sync(0xffffffffu, v, o));
  if (T == 32) return v;
  __shared__ float part[8];
  if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
  __syncthreads();
  v = part[0];
  for (int i = 1; i < 8; i++) v = f(v, part[i]);
  __syncthreads(); // part may be used again
  return v;
}

// Rows of C: a warp has one, 8 a block, or a block has one; the names of such
// kernels end in T, the threads of a row.
DEV int row_of(int T) { return T == 256 ? blockIdx.x : blockIdx.x * 8 + (threadIdx.x >> 5); }
