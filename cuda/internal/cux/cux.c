//go:build cuda && linux

#include "cux.h"
#include <string.h>

static CUresult launch(const cux_step *s, CUstream stream, int overlap) {
  void *p[32];
  for (int j = 0; j < s->nargs; j++) p[j] = (char *)s->args + s->offs[j];
  const unsigned *d = s->dims;
  if (!overlap) return cuLaunchKernel(s->f, d[0], d[1], d[2], d[3], d[4], d[5], d[6], stream, p, 0);
  CUlaunchAttribute at;
  memset(&at, 0, sizeof at);
  at.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  at.value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig c = {d[0], d[1], d[2], d[3], d[4], d[5], d[6], stream, &at, 1};
  return cuLaunchKernelEx(&c, s->f, p, 0);
}

CUresult cux_issue(const cux_step *s, int n, CUstream stream, int overlap, int *at) {
  for (int i = 0; i < n; i++) {
    CUresult r;
    switch (s[i].kind) {
    case CUX_TO_DEVICE: r = cuMemcpyHtoDAsync(s[i].dev, s[i].host, s[i].bytes, stream); break;
    case CUX_TO_HOST: r = cuMemcpyDtoHAsync(s[i].host, s[i].dev, s[i].bytes, stream); break;
    default: r = launch(&s[i], stream, overlap && i > 0 && s[i - 1].kind == CUX_KERNEL);
    }
    if (r) return *at = i, r;
  }
  return CUDA_SUCCESS;
}

CUresult cux_capture(CUcontext ctx, const cux_step *s, int n, CUstream stream, int overlap, CUgraphExec *out, int *at) {
  CUresult r = cuCtxSetCurrent(ctx);
  if (!r) r = cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  if (r) return r;
  CUgraph g = 0;
  CUresult issued = cux_issue(s, n, stream, overlap, at);
  r = cuStreamEndCapture(stream, &g);
  if (issued) r = issued;
  if (!r) r = cuGraphInstantiateWithFlags(out, g, 0);
  if (g) cuGraphDestroy(g);
  return r;
}

CUresult cux_replay(CUcontext ctx, CUgraphExec graph, const cux_step *s, int n, CUstream stream, int *at) {
  CUresult r = cuCtxSetCurrent(ctx);
  if (r) return r;
  r = graph ? cuGraphLaunch(graph, stream) : cux_issue(s, n, stream, 0, at);
  CUresult done = cuStreamSynchronize(stream);
  return r ? r : done;
}

CUresult cux_encode_halves(void *out, CUdeviceptr base, int rank, const cuuint64_t *dims, const cuuint64_t *strides, const cuuint32_t *box, const cuuint32_t *step) {
  CUtensorMap m; // aligned as the driver wants it
  CUresult r = cuTensorMapEncodeTiled(&m, CU_TENSOR_MAP_DATA_TYPE_UINT16, rank, (void *)base, dims, strides, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
                                      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (!r) memcpy(out, &m, sizeof m);
  return r;
}
