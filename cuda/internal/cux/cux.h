#ifndef CUX_H
#define CUX_H
#include <cuda.h>
#include <stddef.h>
#include <stdint.h>

enum { CUX_KERNEL, CUX_TO_DEVICE, CUX_TO_HOST };

// cux_step is one entry of a launch list. Kernels use f, dims (grid, block,
// dynamic shared bytes) and the packed arguments; copies dev, host and bytes.
typedef struct {
  int kind, nargs;
  CUfunction f;
  unsigned dims[7];
  CUdeviceptr dev;
  void *host;
  size_t bytes;
  uint16_t offs[32];
  unsigned char args[640]; // three tensor maps and a structure
} cux_step;

// cux_issue gives the steps to the stream; with overlap a kernel after a kernel
// may start before that one has ended, and must wait for it itself. *at is the
// step that failed.
CUresult cux_issue(const cux_step *s, int n, CUstream stream, int overlap, int *at);

// cux_capture makes a graph of the steps.
CUresult cux_capture(CUcontext ctx, const cux_step *s, int n, CUstream stream, int overlap, CUgraphExec *out, int *at);

// cux_replay runs the graph, or the steps where graph is null, and waits.
CUresult cux_replay(CUcontext ctx, CUgraphExec graph, const cux_step *s, int n, CUstream stream, int *at);

// cux_encode_halves describes a tensor of halves to the copy engine, in out's 128
// bytes.
CUresult cux_encode_halves(void *out, CUdeviceptr base, int rank, const cuuint64_t *dims, const cuuint64_t *strides, const cuuint32_t *box, const cuuint32_t *step);
#endif
