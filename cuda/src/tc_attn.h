// What the attention kernels (tc_attn*.cu) share.
#pragma once
#include "dev_tc.h"

struct AttnArgs {
  void *out;
  const void *q, *k, *v;
  const float *mask;
  const int *used;
  int LQ, LK, strideQ, strideK, strideV, strideO, offQ, offK, offV, causal;
  float scale;
  int pad;
};

static_assert(sizeof(AttnArgs) == 96, "the host's layout");

// Keys is what a query block may see: the keys in use, and where they end for it.
struct Keys {
  const float *mask;
  int used, shift, end;
  DEV_M Keys(const AttnArgs &g, int b, int q_end) {
    used = g.used ? min(max(*g.used, 0), g.LK) : g.LK;
    mask = g.mask ? g.mask + (size_t)b * g.LK : nullptr;
    shift = used - g.LQ;
    end = g.causal ? max(min(used, q_end + shift), 0) : used;
  }
  // limit gives where the keys end that query row may see.
  DEV_M int limit(bool causal, int row) const { return causal ? min(used, row + shift + 1) : used; }
  DEV_M bool there(int key) const { return key < used && (!mask || mask[key] != 0.0f); }
};

// hide sets the scores of keys that a query doesn't see to -Inf: those of one mma
// tile, keys key and key + 1 of two rows that see keys below limits l0 and l1.
DEV void hide(float *s, const float *mask, int key, int l0, int l1) {
#pragma unroll
  for (int e = 0; e < 4; e++) {
    int j = key + (e & 1);
    if (j >= (e < 2 ? l0 : l1) || (mask && mask[j] == 0.0f)) s[e] = -INFINITY;
  }
}
// below has its lowest n bits set.
DEV uint32_t below(int n) { return n >= 32 ? ~0u : n <= 0 ? 0 : (1u << n) - 1; }
// exp2f_fma is 2^x for x <= 2^22 within 1.1e-4 of it, without the unit that exponentials
// share: x = i + f, |f| <= 1/2, 2^f by the best cubic that is 1 at 0, i added to the
// exponent. Zero from -127 down; of NaN, infinite or NaN. Source: Cody and Waite, 1980.
DEV float exp2f_fma(float x) {
  x = fmax_nan(x, -127.0f);
  float t = x + 12582912.0f, f = x - (t - 12582912.0f); // 3·2^22: its last bit is worth 1
  float p = fmaf(fmaf(fmaf(0.055008911f, f, 0.24221097f), f, 0.69328293f), f, 1.0f);
  return bits_f32(f32_bits(p) + (f32_bits(t) << 23));
}
DEV float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
  return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}
template <bool BF> struct Ones { static constexpr uint32_t v = BF ? 0x3f803f80u : 0x3c003c00u; };
