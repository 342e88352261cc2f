// The largest elements of rows.
#include "dev.h"

// A row's elements by their order: the value's, then the lower index first; no two
// are equal. 0 is for what can't be among the largest.
typedef unsigned long long order_t;
DEV order_t order_of(float v, int i) {
  if (v != v) return 0;
  uint32_t u = float_bits(v == 0 ? 0.0f : v); // zeros of both signs are equal
  return (order_t)(u >> 31 ? ~u : u | 0x80000000u) << 32 | (uint32_t)~i;
}
DEV int index_of(order_t o) { return (int)~(uint32_t)o; }

enum { TOP_MOST = 1024, TOP_LIST = 2048 };

// nth returns an order that exactly need of item(0) to item(n-1) reach, digit by digit
// of 8 bits. Where fewer than need aren't 0 it is 0.
template <class F> DEV order_t nth(F item, int n, int need) {
  __shared__ int count[256], digit, rest;
  int t = threadIdx.x;
  order_t prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    count[t] = 0;
    __syncthreads();
    for (int i = t; i < n; i += 256) {
      order_t o = item(i);
      if ((o ^ prefix) >> shift >> 8 == 0) atomicAdd(&count[o >> shift & 255], 1);
    }
    __syncthreads();
    int own = count[t];
    for (int d = 1; d < 256; d *= 2) { // count[t] becomes how many have digit t or more
      int more = t + d < 256 ? count[t + d] : 0;
      __syncthreads();
      count[t] += more;
      __syncthreads();
    }
    if (count[t] >= need && count[t] - own < need) digit = t, rest = need - (count[t] - own);
    __syncthreads();
    prefix |= (order_t)digit << shift, need = rest;
    bool all = count[digit] - (digit < 255 ? count[digit + 1] : 0) == need;
    __syncthreads(); // count, digit and rest may be used again
    if (all) break;
  }
  return prefix;
}

// y[M,K] = the indices of the K ≤ 1024 largest elements, the largest first. A NaN
// among the first K keeps its place and has those before it sorted by themselves.
// The row is read twice where few elements reach the K-th of the largest ones of 1024
// groups. Grid: M.
KERNEL(256) top_k(int *y, In x, int C, int K) {
  grid_wait();
  __shared__ order_t best[TOP_MOST], list[TOP_LIST];
  __shared__ int first, found, chosen;
  int t = threadIdx.x;
  x = x + (size_t)blockIdx.x * C, y += (size_t)blockIdx.x * K;
  if (t == 0) first = found = chosen = 0;
  __syncthreads();
  for (int i = t; i < K; i += 256)
    if (x[i] != x[i]) atomicMax(&first, i + 1);
  __syncthreads();
  int head = first, need = K - head; // what NaNs hold in place, and how many follow
  for (int i = t; i < head; i += 256) {
    float v = x[i];
    int low = i, at = i;
    if (v == v) {
      while (low > 0 && x[low - 1] == x[low - 1]) low--;
      at = low;
      for (int j = low; x[j] == x[j]; j++) at += order_of(x[j], j) > order_of(v, i);
    }
    y[at] = i;
  }
  if (need == 0) return;
  order_t top[4] = {0, 0, 0, 0};
  for (int i = head + t; i < C; i += 1024)
#pragma unroll
    for (int g = 0; g < 4; g++)
      if (i + g * 256 < C) {
        order_t o = order_of(x[i + g * 256], i + g * 256);
        top[g] = o > top[g] ? o : top[g];
      }
  for (int g = 0; g < 4; g++) best[g * 256 + t] = top[g];
  __syncthreads();
  order_t least = nth([&](int i) { return best[i]; }, TOP_MOST, need);
  if (least == 0) least = 1;
  for (int i = head + t; i < C; i += 256) {
    order_t o = order_of(x[i], i);
    if (o < least) continue;
    int at = atomicAdd(&found, 1);
    if (at < TOP_LIST) list[at] = o;
  }
  __syncthreads();
  bool listed = found <= TOP_LIST;
  int n = listed ? found : C - head;
  auto item = [&](int i) { return listed ? list[i] : order_of(x[head + i], head + i); };
  least = nth(item, n, need);
  for (int i = t; i < n; i += 256) {
    order_t o = item(i);
    if (o >= least) best[atomicAdd(&chosen, 1)] = o;
  }
  __syncthreads();
  for (int i = t; i < need; i += 256) {
    int at = 0;
    for (int j = 0; j < need; j++) at += best[j] > best[i];
    y[head + at] = index_of(best[i]);
  }
}
