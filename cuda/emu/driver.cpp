//go:build ignore

// A stand-in libcuda.so.1: the calls that package cuda makes, done on the CPU, at
// once. Strict where a driver would be: a context must be current, addresses must
// lie in live allocations, names and launch limits are checked.
//
// CUDA_EMU_CAPABILITY is the GPUs' compute capability times ten, 90 if unset; what the
// embedded code has nothing for isn't loaded or found. CUDA_EMU_MEMORY limits a GPU's memory, in bytes. CUDA_EMU_FAIL names a kernel
// whose launch fails as an illegal address does. CUDA_EMU_NO_GRAPHS takes stream
// capture away.
#include "run.h"
#include "tc_run.h"
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdio.h>
#include <vector>
#define API extern "C" __attribute__((visibility("default")))
typedef int R;
typedef unsigned long long P;
typedef void *V;
enum { OK = 0, INVALID = 1, OOM = 2, NO_DEVICE = 101, BAD_IMAGE = 200, NO_CONTEXT = 201, NO_BINARY = 209, NOT_FOUND = 500, ILLEGAL = 700, FAILED = 719, UNSUPPORTED = 801 };
enum { GPUS = 2 };

static std::mutex mu;
static std::map<P, size_t> live[GPUS]; // allocations
static size_t used[GPUS];
static int pinned;
static bool lost[GPUS]; // a kernel failed: the context answers nothing else
#define current emu_context
typedef std::vector<std::function<R()>> Graph;
struct Stream { Graph *capture = 0; };

static int gpu() { return (int)(size_t)current - 1; }
#define NEED_CONTEXT                      \
  if (!current) return NO_CONTEXT;        \
  if (lost[gpu()]) return ILLEGAL;

static size_t memory() {
  const char *s = getenv("CUDA_EMU_MEMORY");
  return s ? strtoull(s, 0, 10) : 8ull << 30;
}
static bool inside(P p, size_t n) {
  std::lock_guard<std::mutex> l(mu);
  auto i = live[gpu()].upper_bound(p);
  if (i == live[gpu()].begin()) return false;
  --i;
  return p + n <= i->first + i->second;
}
// What a kernel's handle points at: a plain kernel, or one for tensor cores.
struct Function { const emu_kernel *plain; tcemu_kernel tensor; std::string name; int shared; };
typedef std::map<std::string, Function> Module;
static int capability() {
  const char *s = getenv("CUDA_EMU_CAPABILITY");
  return s ? atoi(s) : 90;
}
static R go(V s, std::function<R()> f) {
  NEED_CONTEXT
  Graph *g = s ? ((Stream *)s)->capture : 0;
  if (g) return g->push_back(f), OK;
  R r = f();
  if (r == ILLEGAL || r == FAILED) lost[gpu()] = true;
  return r;
}

API R cuInit(unsigned) { return OK; }
API R cuDriverGetVersion(int *v) { return *v = 12090, OK; }
API R cuDeviceGetCount(int *n) { return *n = GPUS, OK; }
API R cuDeviceGet(int *d, int i) { return *d = i, i >= 0 && i < GPUS ? OK : NO_DEVICE; }
API R cuDeviceGetName(char *s, int n, int d) { return snprintf(s, n, "CPU emulation %d", d), OK; }
API R cuDeviceTotalMem_v2(size_t *n, int) { return *n = memory(), OK; }
API R cuMemGetInfo_v2(size_t *f, size_t *n) {
  NEED_CONTEXT
  return *n = memory(), *f = *n - used[gpu()], OK;
}
API R cuDeviceGetAttribute(int *v, int a, int) { // 4 processors
  return *v = a == 75 ? capability() / 10 : a == 76 ? capability() % 10 : a == 16 ? 4 : a == 1 ? 1024 : a == 10 ? 32 : 0, OK;
}
API R cuDevicePrimaryCtxRetain(V *c, int d) { return *c = (V)(size_t)(d + 1), OK; }
API R cuDevicePrimaryCtxRelease_v2(int d) { return lost[d] = false, OK; }
API R cuDevicePrimaryCtxReset_v2(int d) { return lost[d] = false, OK; }
API R cuCtxSetCurrent(V c) { return current = c, OK; }
// runs reports whether a fat binary holds code for this GPU: PTX of its capability or
// an older one, or machine code of its generation that is no newer and, for code of one
// GPU alone (sm_90a), the same.
static bool runs(const char *entries, size_t bytes) {
  for (size_t i = 0; i < bytes;) {
    struct Entry { uint16_t kind, version; uint32_t header; uint64_t size, unused; uint32_t ptx, sm; uint64_t name, flags; } e;
    memcpy(&e, entries + i, sizeof e);
    int sm = e.sm, c = capability();
    if (sm <= c && (e.kind == 1 || (e.flags & 0x100000 ? sm == c : sm / 10 == c / 10))) return true;
    i += e.header + e.size;
  }
  return false;
}
API R cuModuleLoadData(V *m, const void *image) {
  NEED_CONTEXT
  struct { uint32_t magic; uint16_t version, header; uint64_t size; } h;
  memcpy(&h, image, sizeof h);
  if (h.magic != 0xba55ed50) return BAD_IMAGE;
  if (!runs((const char *)image + h.header, h.size)) return NO_BINARY;
  return *m = new Module, OK;
}
API R cuModuleUnload(V m) { return delete (Module *)m, OK; }
API R cuModuleGetFunction(V *f, V m, const char *n) {
  NEED_CONTEXT
  Function k = {emu_find(n), tcemu_find(n), n, 48 << 10};
  bool hopper = k.tensor && strstr(n, "90_"); // the family's name says so
  if (!(k.plain || (k.tensor && capability() >= 80)) || (hopper && capability() != 90)) return NOT_FOUND;
  return *f = &((Module *)m)->emplace(n, k).first->second, OK;
}
API R cuFuncSetAttribute(V f, int a, int v) {
  NEED_CONTEXT
  if (a != 8 || v < 0 || v > (capability() == 90 ? 227 << 10 : 99 << 10)) return INVALID;
  return ((Function *)f)->shared = v, OK;
}
API R cuTensorMapEncodeTiled(V out, int type, unsigned rank, V base, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *step, int interleave, int swizzle, int, int fill) {
  NEED_CONTEXT
  if ((P)out & 63 || (P)base & 15 || type != 1 || rank < 2 || rank > 4 || interleave || swizzle != 3 || fill || !inside((P)base, 2)) return INVALID;
  for (unsigned i = 0; i < rank; i++)
    if (!dims[i] || !box[i] || box[i] > 256 || !step[i] || step[i] > 8 || (i && strides[i - 1] & 15)) return INVALID;
  if (box[0] * 2 > 128 || step[0] != 1) return INVALID;
  return tcemu_tensor_map(out, base, (int)rank, dims, strides, box, step), OK;
}
API R cuMemAlloc_v2(P *p, size_t n) {
  NEED_CONTEXT
  void *q = 0;
  std::lock_guard<std::mutex> l(mu);
  if (!n) return INVALID;
  if (used[gpu()] + n > memory() || posix_memalign(&q, 256, n)) return OOM;
  memset(q, 0xff, n);
  live[gpu()][(P)q] = n, used[gpu()] += n;
  return *p = (P)q, OK;
}
API R cuMemFree_v2(P p) {
  if (!current) return NO_CONTEXT;
  std::lock_guard<std::mutex> l(mu);
  auto i = live[gpu()].find(p);
  if (i == live[gpu()].end()) return INVALID;
  used[gpu()] -= i->second;
  live[gpu()].erase(i);
  free((void *)p);
  return lost[gpu()] ? ILLEGAL : OK;
}
API R cuMemHostAlloc(void **p, size_t n, unsigned) {
  NEED_CONTEXT
  std::lock_guard<std::mutex> l(mu);
  if (posix_memalign(p, 4096, n)) return OOM;
  return pinned++, OK;
}
API R cuMemFreeHost(void *p) {
  if (!current) return NO_CONTEXT;
  std::lock_guard<std::mutex> l(mu);
  free(p);
  return pinned--, OK;
}
static R to_device(P d, const void *s, size_t n) { return inside(d, n) ? memcpy((void *)d, s, n), OK : INVALID; }
static R to_host(void *d, P s, size_t n) { return inside(s, n) ? memcpy(d, (void *)s, n), OK : INVALID; }
static R fill(P d, unsigned char c, size_t n) { return inside(d, n) ? memset((void *)d, c, n), OK : INVALID; }
API R cuMemcpyHtoD_v2(P d, const void *s, size_t n) { return go(0, [=] { return to_device(d, s, n); }); }
API R cuMemcpyDtoH_v2(void *d, P s, size_t n) { return go(0, [=] { return to_host(d, s, n); }); }
API R cuMemcpyHtoDAsync_v2(P d, const void *s, size_t n, V st) { return go(st, [=] { return to_device(d, s, n); }); }
API R cuMemcpyDtoHAsync_v2(void *d, P s, size_t n, V st) { return go(st, [=] { return to_host(d, s, n); }); }
API R cuMemsetD8_v2(P d, unsigned char c, size_t n) { return go(0, [=] { return fill(d, c, n); }); }
API R cuMemsetD8Async(P d, unsigned char c, size_t n, V st) { return go(st, [=] { return fill(d, c, n); }); }
API R cuStreamCreate(V *s, unsigned) {
  NEED_CONTEXT
  return *s = new Stream, OK;
}
API R cuStreamDestroy_v2(V s) { return delete (Stream *)s, OK; }
API R cuStreamSynchronize(V) {
  NEED_CONTEXT
  return OK;
}

// launch copies the arguments, which the caller may reuse, and checks that they
// lie as the kernel's parameters do when they are packed in one array.
struct alignas(64) Line { char b[64]; }; // tensor maps are aligned so
static R launch(V v, const unsigned *d, V s, void **p) {
  Function *f = (Function *)v;
  const emu_kernel *k = f->plain;
  int count = k ? k->count : f->tensor->count;
  const int *sizes = k ? k->sizes : f->tensor->sizes;
  auto refuse = [&](const char *why, unsigned n) { return fprintf(stderr, "cuda emulation: %s: %s %u\n", f->name.c_str(), why, n), INVALID; };
  if (d[6] > (unsigned)f->shared) return refuse("more shared memory than allowed:", d[6]);
  if (!d[0] || !d[1] || !d[2] || d[0] >= 1u << 31 || d[1] > 65535 || d[2] > 65535) return refuse("a wrong grid of", d[0]);
  if (unsigned n = d[3] * d[4] * d[5]; !n || n > 1024) return refuse("a block of", n);
  auto dims = std::make_shared<std::vector<unsigned>>(d, d + 7);
  auto args = std::make_shared<std::vector<std::vector<Line>>>(count);
  for (int i = 0; i < count; i++) {
    if (i && (char *)p[i] - (char *)p[i - 1] < sizes[i - 1]) return refuse("too small an argument,", i - 1);
    (*args)[i].resize((sizes[i] + 63) / 64);
    memcpy((*args)[i].data(), p[i], sizes[i]);
  }
  return go(s, [=]() -> R {
    const char *fail = getenv("CUDA_EMU_FAIL");
    if (fail && f->name == fail) return ILLEGAL;
    void *at[64];
    for (int i = 0; i < count; i++) at[i] = (*args)[i].data();
    return k ? emu_run(k, dims->data(), at) : tcemu_run(f->tensor, dims->data(), at);
  });
}
API R cuLaunchKernel(V f, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned g, unsigned sh, V s, void **p, void **) {
  unsigned dims[7] = {a, b, c, d, e, g, sh};
  return launch(f, dims, s, p);
}
struct Config { unsigned dims[7]; V stream, attributes; unsigned count; };
API R cuLaunchKernelEx(const Config *c, V f, void **p, void **) { return launch(f, c->dims, c->stream, p); }

API R cuStreamBeginCapture_v2(V s, int) {
  NEED_CONTEXT
  if (getenv("CUDA_EMU_NO_GRAPHS")) return UNSUPPORTED;
  return ((Stream *)s)->capture = new Graph, OK;
}
API R cuStreamEndCapture(V s, V *g) { return *g = ((Stream *)s)->capture, ((Stream *)s)->capture = 0, OK; }
API R cuGraphInstantiateWithFlags(V *e, V g, P) { return *e = new Graph(*(Graph *)g), OK; }
API R cuGraphDestroy(V g) { return delete (Graph *)g, OK; }
API R cuGraphExecDestroy(V g) { return delete (Graph *)g, OK; }
API R cuGraphLaunch(V e, V s) {
  for (auto &f : *(Graph *)e)
    if (R r = go(s, f)) return r;
  return OK;
}

API R cuGetErrorName(R r, const char **s) {
  static const std::map<R, const char *> names = {{INVALID, "CUDA_ERROR_INVALID_VALUE"}, {OOM, "CUDA_ERROR_OUT_OF_MEMORY"},
    {34, "CUDA_ERROR_STUB_LIBRARY"}, {NO_DEVICE, "CUDA_ERROR_INVALID_DEVICE"}, {NO_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
    {BAD_IMAGE, "CUDA_ERROR_INVALID_IMAGE"}, {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"}, {ILLEGAL, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
    {UNSUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"}};
  auto i = names.find(r);
  return *s = i == names.end() ? "CUDA_ERROR_UNKNOWN" : i->second, OK;
}
API R cuGetErrorString(R, const char **s) { return *s = "as the CPU emulation has it", OK; }
