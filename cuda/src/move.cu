// Copies; a thread moves one element. Where kinds differ elements are converted,
// else they are moved as they are, indices too.
#include "dev.h"

// y and x are outer rows of inner elements, sy and sx apart.
KERNEL(256) copy_rows(Out y, In x, int inner, int sy, int sx, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y.put((size_t)(i / inner) * sy + i % inner, x[(size_t)(i / inner) * sx + i % inner]);
}
// The same for words of 16 bytes.
KERNEL(256) copy_words(uint4 *y, const uint4 *x, int inner, int sy, int sx, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < count) y[(size_t)(i / inner) * sy + i % inner] = x[(size_t)(i / inner) * sx + i % inner];
}

// y[·,n1,n2,n3] has strides s0 to s3 in x.
KERNEL(256) permute(Out y, In x, int n1, int n2, int n3, int s0, int s1, int s2, int s3, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int d = i % n3, c = i / n3 % n2, b = i / n3 / n2 % n1, a = i / n3 / n2 / n1;
  y.put(i, x[(size_t)a * s0 + (size_t)b * s1 + (size_t)c * s2 + (size_t)d * s3]);
}

// state[B,L,D] gets, from row at on, the T rows of x, sx elements apart. States
// outlive the run: once there is a fault nothing is written to them.
KERNEL(256) cache_write(Out state, In x, const int *at, fault_t *faults, int T, int L, int D, int sx, int slot, int count) {
  grid_wait();
  int row = at[0], i = blockIdx.x * 256 + threadIdx.x;
  if (row < 0 || row > L - T) {
    if (i == 0) report(faults, slot, 0, row);
    return;
  }
  if (i >= count || ~faults[0]) return;
  int d = i % D, t = i / D % T, b = i / D / T;
  state.put(((size_t)b * L + row + t) * D + d, x[((size_t)b * T + t) * sx + d]);
}

// state[b] becomes the former state[from[b]] in its first used rows: _out copies
// the sequences that move to work, _in copies them back. Grid: L·D/256, B.
DEV bool selected(const int *from, const int *used, fault_t *faults, int L, int D, int slot, int *size) {
  int n = used[0], B = gridDim.y;
  bool good = n >= 0 && n <= L;
  if (!good && threadIdx.x == 0) report(faults, slot, 0, n);
  for (int b = 0; b < B; b++)
    if (from[b] < 0 || from[b] >= B) {
      if (good && threadIdx.x == 0) report(faults, slot, 1 + b, from[b]);
      good = false;
    }
  *size = n * D;
  return good && from[blockIdx.y] != (int)blockIdx.y;
}
KERNEL(256) cache_select_out(float *work, In state, const int *from, const int *used, fault_t *faults, int L, int D, int slot) {
  grid_wait();
  int size, i = blockIdx.x * 256 + threadIdx.x;
  if (selected(from, used, faults, L, D, slot, &size) && i < size)
    work[(size_t)blockIdx.y * L * D + i] = state[(size_t)from[blockIdx.y] * L * D + i];
}
KERNEL(256) cache_select_in(Out state, const float *work, const int *from, const int *used, fault_t *faults, int L, int D, int slot) {
  grid_wait();
  int size, i = blockIdx.x * 256 + threadIdx.x;
  if (selected(from, used, faults, L, D, slot, &size) && i < size && !~faults[0])
    state.put((size_t)blockIdx.y * L * D + i, work[(size_t)blockIdx.y * L * D + i]);
}

// y[i] = table[ids[i]] for rows of C. Grid: C/256, rows.
KERNEL(256) embed(Out y, const float *table, const int *ids, fault_t *faults, int V, int C, int slot, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int id = ids[i / C];
  if (id < 0 || id >= V) {
    report(faults, slot, i / C, id);
    return;
  }
  y.put(i, table[(size_t)id * C + i % C]);
}

// y[b,k] = x[b, index[b,k]] for x [B,T,C] and index [B,K].
KERNEL(256) gather(Out y, In x, const int *index, fault_t *faults, int K, int T, int C, int slot, int count) {
  grid_wait();
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int row = index[i / C];
  if (row < 0 || row >= T) {
    report(faults, slot, i / C, row);
    return;
  }
  y.put(i, x[((size_t)(i / C / K) * T + row) * C + i % C]);
}
