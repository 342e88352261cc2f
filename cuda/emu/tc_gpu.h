// What the kernel tests need to run on a GPU instead of the emulator:
// tc_gpu.sh builds them. Tensors lie in managed memory, launches are waited for.
#pragma once
#include <cuda.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include "../src/dev_tc.h"
#include "tc_half.h"

static const struct { unsigned long long reads, conflicts; } stats = {1, 0}; // only the emulator counts them

static inline void *take(size_t bytes) {
  void *p = 0;
  cudaError_t e = cudaMallocManaged(&p, bytes ? bytes : 1);
  if (e == cudaSuccess) return p;
  fprintf(stderr, "%s: %s\n", cudaGetErrorName(e), cudaGetErrorString(e));
  exit(2);
}
static inline void give(void *p) { cudaFree(p); }

template <class... A> static int launch(void (*k)(A...), dim3 grid, dim3 block, unsigned shared, A... a) {
  cudaError_t e = cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
  if (e == cudaSuccess) {
    k<<<grid, block, shared>>>(a...);
    e = cudaGetLastError();
  }
  if (e == cudaSuccess) e = cudaDeviceSynchronize();
  if (e != cudaSuccess) fprintf(stderr, "%s: %s\n", cudaGetErrorName(e), cudaGetErrorString(e));
  return e;
}
static inline TMap encode_map(const void *p, int rank, const cuuint64_t *dims, const cuuint64_t *strides, const cuuint32_t *box, const cuuint32_t *step) {
  typedef CUresult (*Encode)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *, const cuuint64_t *, const cuuint32_t *, const cuuint32_t *,
                             CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  static Encode encode;
  cudaDriverEntryPointQueryResult found;
  if (!encode && cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", (void **)&encode, 12000, cudaEnableDefault, &found) != cudaSuccess) abort();
  CUtensorMap m;
  if (encode(&m, CU_TENSOR_MAP_DATA_TYPE_UINT16, rank, (void *)p, dims, strides, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)) abort();
  TMap t;
  memcpy(&t, &m, sizeof t);
  return t;
}
static inline TMap tensor_map(const void *p, uint64_t cols, uint64_t rows, uint64_t stride, uint32_t box_rows) {
  cuuint64_t dims[2] = {cols, rows}, strides[1] = {stride};
  cuuint32_t box[2] = {64, box_rows}, step[2] = {1, 1};
  return encode_map(p, 2, dims, strides, box, step);
}
static inline TMap picture_map(const void *p, uint64_t N, uint64_t H, uint64_t W, uint64_t C, uint32_t bw, uint32_t bh, uint32_t bn, uint32_t step) {
  cuuint64_t dims[4] = {C, W, H, N}, strides[3] = {C * 2, W * C * 2, H * W * C * 2};
  cuuint32_t box[4] = {64, bw * step, bh * step, bn}, steps[4] = {1, step, step, 1};
  return encode_map(p, 4, dims, strides, box, steps);
}
static inline TMap head_map(const void *p, uint64_t D, uint64_t H, uint64_t L, uint64_t B, uint64_t stride, uint32_t rows) {
  cuuint64_t dims[4] = {D, H, L, B}, strides[3] = {D * 2, stride * 2, L * stride * 2};
  cuuint32_t box[4] = {64, 1, rows, 1}, steps[4] = {1, 1, 1, 1};
  return encode_map(p, 4, dims, strides, box, steps);
}
