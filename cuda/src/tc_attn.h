// What the attention kernels (tc_attn.cu, tc_attn90.cu) share.
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
DEV float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
  return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}
template <bool BF> struct Ones { static constexpr uint32_t v = BF ? 0x3f803f80u : 0x3c003c00u; };
