//go:build ignore

// The emulator's own test: broken kernels must be found out, each in its way.
#include "tc_check.h"
#include <sys/wait.h>
#include <unistd.h>

// copy32 moves 32 chunks of 16 bytes through shared memory; how says what it gets wrong.
enum { RIGHT, NO_WAIT, NO_COMMIT, NO_BARRIER, EARLY, DIVERGENT, ODD_SHARED, ODD_GLOBAL, OUTSIDE, LEFT_OVER };
static void copy32(uint4 *out, const uint4 *in, int how) {
  TC_SMEM(smem);
  smem_t s = smem_addr(smem);
  int t = threadIdx.x;
  if (how == ODD_GLOBAL) ldg128((const char *)in + 8);
  if (how == ODD_SHARED) lds128(s + 8);
  if (how == OUTSIDE) lds128(s + 64 * 16);
  cp_async16(s + t * 16, in + t, 16);
  if (how != NO_COMMIT) cp_async_commit();
  if (how == LEFT_OVER) return;
  if (how != NO_WAIT) cp_async_wait<0>();
  if (how != NO_BARRIER && (how != DIVERGENT || t < 40)) __syncthreads();
  stg128(out + t, lds128(s + (t ^ 33) * 16)); // another warp's
  if (how == EARLY) cp_async16(s + (t ^ 33) * 16, in + t, 16), cp_async_commit(), cp_async_wait<0>();
  if (how == NO_WAIT || how == NO_COMMIT) cp_async_commit(), cp_async_wait<0>();
  if (how == EARLY) stg128(out + t, lds128(s + (t ^ 33) * 16));
}
// verdict runs one in a child: 0 right, 1 wrong results, 2 refused, 3 stopped.
static int verdict(int how) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(9);
    std::vector<uint4> in(64), out(64, make_uint4(9, 9, 9, 9));
    for (unsigned i = 0; i < 64; i++) in[i] = make_uint4(i, i, i, i);
    if (launch(copy32, {1, 1, 1}, {64, 1, 1}, 64 * 16, out.data(), (const uint4 *)in.data(), how)) _exit(2);
    for (unsigned i = 0; i < 64; i++) if (out[i].x != (i ^ 33)) _exit(1);
    _exit(0);
  }
  int st = 0;
  waitpid(p, &st, 0);
  return WIFSIGNALED(st) ? 3 : WEXITSTATUS(st);
}

// One mma against its definition, operands by their positions alone.
static void one_mma(float *out) {
  TC_SMEM(smem);
  smem_t s = smem_addr(smem);
  int t = threadIdx.x;
  uint16_t *h = (uint16_t *)smem; // A 16x16, then B as 8 rows of 16, then B as 16 rows of 8
  for (int i = t; i < 256; i += 32) h[i] = to_f16((float)(i % 7 - 3));
  for (int i = t; i < 128; i += 32) h[256 + i] = to_f16((float)(i % 5 - 2));
  for (int i = t; i < 128; i += 32) h[384 + (i % 16) * 8 + i / 16] = to_f16((float)(i % 5 - 2));
  __syncwarp();
  uint32_t a[4], b[2], bt[2], both[4];
  ldmatrix4(a, s + (t & 15) * 32 + (t >> 4) * 16);
  ldmatrix4(both, s + 512 + (t & 7) * 32 + (t >> 3 & 1) * 16);
  b[0] = both[0], b[1] = both[1];
  ldmatrix2t(bt, s + 768 + (t & 15) * 16);
  float c[4] = {1, 1, 1, 1}, d[4] = {1, 1, 1, 1};
  mma<false>(c, a, b[0], b[1]);
  mma<false>(d, a, bt[0], bt[1]);
  for (int i = 0; i < 4; i++) out[((t >> 2) + 8 * (i >> 1)) * 8 + (t & 3) * 2 + (i & 1)] = c[i] == d[i] ? c[i] : NAN;
}
int main() {
  must("a right kernel", verdict(RIGHT) == 0);
  must("no wait gives wrong results", verdict(NO_WAIT) == 1);
  must("no commit gives wrong results", verdict(NO_COMMIT) == 1);
  must("no barrier gives wrong results", verdict(NO_BARRIER) == 1);
  must("a buffer reused too early gives wrong results", verdict(EARLY) == 1);
  must("a barrier that not all lanes reach stops", verdict(DIVERGENT) == 3);
  must("a misaligned shared access stops", verdict(ODD_SHARED) == 3);
  must("a misaligned global access stops", verdict(ODD_GLOBAL) == 3);
  must("an access beyond shared memory stops", verdict(OUTSIDE) == 3);
  must("a copy left over stops", verdict(LEFT_OVER) == 3);
  std::vector<float> c(128, NAN);
  launch(one_mma, {1, 1, 1}, {32, 1, 1}, 1024, c.data());
  std::vector<double> want(128, 1.0);
  for (int m = 0; m < 16; m++)
    for (int n = 0; n < 8; n++)
      for (int k = 0; k < 16; k++) want[m * 8 + n] += ((m * 16 + k) % 7 - 3) * ((n * 16 + k) % 5 - 2);
  check("mma", 128, [&](size_t i) { return c[i]; }, want, {0, 1e-6});
  for (int i = 0; i < 65536; i++) { // the conversions
    float f = from_f16(i);
    if (f == f && to_f16(f) != i) { must("f16 conversion", false); break; }
  }
  must("f16 rounding", to_f16(2049.0f / 2048) == 0x3c00 && to_f16(2051.0f / 2048) == 0x3c02 && to_f16(65520.0f) == 0x7c00 && to_f16(65519.0f) == 0x7bff);
  must("bf16 rounding", to_bf16(1.00390625f) == 0x3f80 && to_bf16(1.01171875f) == 0x3f82);
  return done("emulator");
}
