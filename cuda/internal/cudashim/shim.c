//go:build cuda && linux

// Every driver entry point that gorgonia.org/cu and cux use is defined here as a
// jump through a slot, so that nothing links against libcuda. Until
// cudashim_open fills the slots they answer CUDA_ERROR_STUB_LIBRARY.
#include "shim.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN int cudashim_stub(void) { return 34; }

// cu calls cuInit while the process starts and ends the process if that fails.
HIDDEN int cudashim_init(unsigned flags) { return (void)flags, 0; }

#define X(n) HIDDEN void *cudashim_slot_##n;
#include "symbols.inc"
#undef X

#if defined(__x86_64__)
#define X(n) \
  __asm__(".text\n.p2align 4\n.globl " #n "\n.hidden " #n "\n.type " #n ",@function\n" #n ":\n" \
          "\tendbr64\n\tjmp *cudashim_slot_" #n "(%rip)\n.size " #n ",.-" #n "\n");
#elif defined(__aarch64__)
#define X(n) \
  __asm__(".text\n.p2align 2\n.globl " #n "\n.hidden " #n "\n.type " #n ",%function\n" #n ":\n" \
          "\thint #34\n\tadrp x16, cudashim_slot_" #n "\n\tldr x16, [x16, :lo12:cudashim_slot_" #n "]\n\tbr x16\n.size " #n ",.-" #n "\n");
#else
#error "the cuda build is for amd64 and arm64"
#endif
#include "symbols.inc"
#undef X

static struct {
  const char *name;
  void **slot;
} table[] = {
#define X(n) {#n, &cudashim_slot_##n},
#include "symbols.inc"
#undef X
};
enum { N = sizeof table / sizeof table[0] };
static const char *missing[N];
static int missed;

__attribute__((constructor)) static void fill(void) {
  for (int i = 0; i < N; i++) *table[i].slot = (void *)cudashim_stub;
  cudashim_slot_cuInit = (void *)cudashim_init;
}

static void *load(const char *path, char *msg, int msglen) {
  static const char *const usual[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1",
                                      "/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1",
                                      "/run/opengl-driver/lib/libcuda.so.1"};
  void *h = dlopen(*path ? path : usual[0], RTLD_LAZY | RTLD_LOCAL);
  if (!h) snprintf(msg, msglen, "%s", dlerror());
  for (unsigned i = 1; !*path && !h && i < sizeof usual / sizeof usual[0]; i++) h = dlopen(usual[i], RTLD_LAZY | RTLD_LOCAL);
  return h;
}

int cudashim_open(const char *path, int *code, char *msg, int msglen) {
  void *h = load(path, msg, msglen);
  if (!h) return 1;
  int (*init)(unsigned) = (int (*)(unsigned))dlsym(h, "cuInit");
  if (!init) return snprintf(msg, msglen, "libcuda.so.1 has no cuInit"), 1;
  if ((*code = init(0))) {
    int (*name)(int, const char **) = (int (*)(int, const char **))dlsym(h, "cuGetErrorName");
    const char *s = 0;
    if (name) name(*code, &s);
    return snprintf(msg, msglen, "cuInit: %s (%d)", s ? s : "error", *code), 2;
  }
  for (int i = 0; i < N; i++) {
    void *p = dlsym(h, table[i].name);
    if (p) *table[i].slot = p;
    else missing[missed++] = table[i].name;
  }
  return 0;
}

int cudashim_missing_count(void) { return missed; }
const char *cudashim_missing_name(int i) { return missing[i]; }
