//go:build ignore

// Fibers, barriers and the launch of blocks. CUDA_EMU_REVERSE has warps and lanes
// run from the last to the first: a barrier that is missing shows in one of the
// two orders.
#include "emu.h"
#include "pool.h"
#include "run.h"
#include <link.h>
#include <map>
#include <stdio.h>
#include <string>
#include <sys/mman.h>
#include <vector>

#if defined(__x86_64__)
extern "C" void emu_switch(void **save, void *to);
__asm__(".text\n.globl emu_switch\n.type emu_switch,@function\nemu_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\nmov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
#elif defined(__aarch64__)
extern "C" void emu_switch(void **save, void *to);
__asm__(".text\n.globl emu_switch\n.type emu_switch,%function\nemu_switch:\n"
        "sub sp,sp,#160\nstp x19,x20,[sp]\nstp x21,x22,[sp,#16]\nstp x23,x24,[sp,#32]\nstp x25,x26,[sp,#48]\nstp x27,x28,[sp,#64]\nstp x29,x30,[sp,#80]\n"
        "stp d8,d9,[sp,#96]\nstp d10,d11,[sp,#112]\nstp d12,d13,[sp,#128]\nstp d14,d15,[sp,#144]\nmov x9,sp\nstr x9,[x0]\nmov sp,x1\n"
        "ldp x19,x20,[sp]\nldp x21,x22,[sp,#16]\nldp x23,x24,[sp,#32]\nldp x25,x26,[sp,#48]\nldp x27,x28,[sp,#64]\nldp x29,x30,[sp,#80]\n"
        "ldp d8,d9,[sp,#96]\nldp d10,d11,[sp,#112]\nldp d12,d13,[sp,#128]\nldp d14,d15,[sp,#144]\nadd sp,sp,#160\nret\n");
#endif

enum { STACK = (64 << 10) + 448, MOST = 1024 }; // not a power of two: stacks must not share cache sets
enum Wait { READY, WARP, BLOCK, DONE };
struct Fiber {
  void *sp; // null until it starts
  char *stack;
  Wait wait;
  unsigned gen;
  emu_dim3 at;
};
struct Warp {
  unsigned gen, arrived, live;
  alignas(16) char buf[2][32 * 16];
};
// A machine thread's state. It lies apart from thread-local memory, which holds
// the kernels' shared memory and is filled with NaNs before each launch.
struct Core {
  Fiber f[MOST];
  Warp w[MOST / 32];
  std::vector<char *> free_stacks;
  void *sched;
  int cur;
  unsigned gen, arrived, live;
  const emu_kernel *k;
  void *const *args;
  bool reverse;
};
thread_local emu_thread emu_now;
thread_local void *emu_context;
static thread_local Core *core;

static void back(Wait w, unsigned gen) {
  Fiber &f = core->f[core->cur];
  f.wait = w, f.gen = gen;
  emu_switch(&f.sp, core->sched);
}
static void release_block() {
  if (core->live && core->arrived == core->live) core->arrived = 0, core->gen++;
}
void __syncthreads() {
  unsigned g = core->gen;
  core->arrived++;
  release_block();
  if (core->gen == g) back(BLOCK, g);
}
void *emu_exchange(unsigned mask, const void *v, int n) {
  Warp &w = core->w[core->cur >> 5];
  unsigned g = w.gen;
  memcpy(w.buf[g & 1] + emu_now.lane * 16, v, n);
  w.arrived |= 1u << emu_now.lane;
  if ((w.arrived & mask) == (mask & w.live)) w.arrived = 0, w.gen++;
  else back(WARP, g);
  return w.buf[g & 1];
}
static void fiber_main() {
  core->k->call(core->args);
  core->w[core->cur >> 5].live &= ~(1u << emu_now.lane);
  core->live--;
  release_block();
  back(DONE, 0);
}

static void start(Fiber &f) {
  if (core->free_stacks.empty()) {
    char *s = (char *)mmap(0, (size_t)32 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < 32; i++) core->free_stacks.push_back(s + (size_t)i * STACK);
  }
  f.stack = core->free_stacks.back();
  core->free_stacks.pop_back();
  void **sp = (void **)(f.stack + STACK);
#if defined(__x86_64__)
  *--sp = 0, *--sp = (void *)fiber_main, sp -= 6;
  memset(sp, 0, 48);
#else
  sp -= 20;
  memset(sp, 0, 160);
  sp[11] = (void *)fiber_main;
#endif
  f.sp = sp;
}

static int run_block() {
  emu_dim3 d = emu_now.block_dim;
  int n = d.x * d.y * d.z, warps = (n + 31) / 32;
  core->gen = core->arrived = 0, core->live = n;
  for (int i = 0; i < warps; i++) {
    int l = n - i * 32;
    core->w[i].gen = core->w[i].arrived = 0;
    core->w[i].live = l >= 32 ? ~0u : (1u << l) - 1;
  }
  for (unsigned i = 0; i < (unsigned)n; i++) core->f[i] = {0, 0, READY, 0, {i % d.x, i / d.x % d.y, i / (d.x * d.y)}};
  while (core->live) {
    bool any = false;
    for (int turn = 0; turn < warps; turn++)
      for (bool moved = true; moved;) {
        moved = false;
        int w = core->reverse ? warps - 1 - turn : turn;
        for (int lane = 0; lane < 32; lane++) {
          int i = w * 32 + (core->reverse ? 31 - lane : lane);
          if (i >= n) continue;
          Fiber &f = core->f[i];
          if (f.wait == DONE || (f.wait == WARP && core->w[w].gen == f.gen) || (f.wait == BLOCK && core->gen == f.gen)) continue;
          if (!f.sp) start(f);
          f.wait = READY, core->cur = i, emu_now.lane = i & 31, emu_now.thread = f.at;
          emu_switch(&core->sched, f.sp);
          if (f.wait == DONE) core->free_stacks.push_back(f.stack);
          moved = any = true;
        }
      }
    if (any) continue;
    fprintf(stderr, "cuda emulation: %s: a barrier or shuffle that not every thread reaches\n", core->k->name);
    return 719;
  }
  return 0;
}

// poison fills this library's thread-local memory, the kernels' shared memory,
// with NaNs.
static int poison(dl_phdr_info *info, size_t, void *mine) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) &h = info->dlpi_phdr[i];
    char *tls = (char *)info->dlpi_tls_data;
    if (h.p_type == PT_TLS && tls && (char *)mine >= tls && (char *)mine < tls + h.p_memsz) {
      emu_thread now = emu_now;
      Core *c = core;
      void *context = emu_context;
      asm volatile("" ::"r"(&core), "r"(&emu_now), "r"(&emu_context) : "memory"); // they change under the compiler's hands
      memset(tls, 0xff, h.p_memsz);
      emu_now = now, core = c, emu_context = context;
      return 1;
    }
  }
  return 0;
}

// A launch is shared out among the machine's threads, block by block.
struct Launch {
  const emu_kernel *k;
  const unsigned *dims;
  void *const *args;
  unsigned next, blocks;
  int error;
  bool reverse;
};
static void work(Launch *l) {
  if (!core) core = new Core();
  const unsigned *d = l->dims;
  emu_now.grid_dim = {d[0], d[1], d[2]}, emu_now.block_dim = {d[3], d[4], d[5]};
  core->k = l->k, core->args = l->args, core->reverse = l->reverse;
  dl_iterate_phdr(poison, &emu_now);
  for (;;) {
    unsigned i = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    if (i >= l->blocks || __atomic_load_n(&l->error, __ATOMIC_RELAXED)) return;
    emu_now.block = {i % d[0], i / d[0] % d[1], i / d[0] / d[1]};
    if (int e = run_block()) __atomic_store_n(&l->error, e, __ATOMIC_RELAXED);
  }
}

static Pool &pool = *new Pool;

int emu_run(const emu_kernel *k, const unsigned *dims, void *const *args) {
  unsigned long long blocks = (unsigned long long)dims[0] * dims[1] * dims[2];
  unsigned threads = dims[3] * dims[4] * dims[5];
  if (!blocks || blocks > 1u << 31 || dims[1] > 65535 || dims[2] > 65535 || !threads || threads > MOST || dims[6] > 48 << 10) return 1;
  Launch l = {k, dims, args, 0, (unsigned)blocks, 0, getenv("CUDA_EMU_REVERSE") != 0};
  if (blocks < 8) work(&l);
  else pool.run([&] { work(&l); });
  return l.error;
}

static std::map<std::string, const emu_kernel *> &kernels() {
  static auto *m = new std::map<std::string, const emu_kernel *>;
  return *m;
}
void emu_register(const emu_kernel *k) { kernels()[k->name] = k; }
const emu_kernel *emu_find(const char *name) {
  auto i = kernels().find(name);
  return i == kernels().end() ? 0 : i->second;
}
