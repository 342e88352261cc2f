//go:build ignore

// Times the tensor-core kernels on a Hopper GPU at the models' shapes, f16, random data:
// the time of a launch, as the median of 5 replays of a CUDA graph of 20. Of a product's
// tiles and splits the best two are printed. Built by tc_gpu.sh. bench [PART]: only the
// shapes whose name contains PART.
#include "tc_check.h"
#include "../src/tc_attn.cu"
#include "../src/tc_attn90.cu"
#include "../src/tc_attn_one.cu"
#include "../src/tc_attn_short.cu"
#include "../src/tc_convt90.cu"
#include "../src/tc_few.cu"
#include "../src/tc_finish.cu"
#include "../src/tc_gemm90.cu"
#include "../src/tc_norm.cu"

static int sms;
// Device memory of random halves around 0, of standard deviation about 1/2.
static __global__ void fill(uint16_t *p, size_t n) {
  for (size_t i = blockIdx.x * 256ull + threadIdx.x; i < n; i += gridDim.x * 256ull) {
    uint32_t h = (uint32_t)i * 2654435761u;
    h ^= h >> 15, h *= 2246822519u, h ^= h >> 13;
    p[i] = (uint16_t)pack2<false>((float)(h & 0xffff) / 32768.0f - 1.0f, 0);
  }
}
template <class T> static T *device(size_t n) {
  T *p = 0;
  if (cudaMalloc(&p, n * sizeof(T)) != cudaSuccess) { fprintf(stderr, "out of device memory\n"); exit(2); }
  if (sizeof(T) == 2) fill<<<1024, 256>>>((uint16_t *)p, n);
  else cudaMemset(p, 0, n * sizeof(T));
  return p;
}
static const char *part = "";
static bool wanted(const std::string &shape) { return shape.find(part) != std::string::npos; }
struct Line { std::string what; double us, rate; const char *unit; };
static std::vector<Line> lines;
// report times go(); rates are in TFLOP/s, or GB/s for bytes.
template <class F> static void report(const std::string &what, double flops, double bytes, F go) {
  enum { LAUNCHES = 20, REPLAYS = 5 };
  cudaStream_t stream = cudaStreamPerThread; // where go() launches
  cudaGraph_t graph;
  cudaGraphExec_t replay;
  cudaEvent_t a, b;
  go(), cudaStreamSynchronize(stream); // loads the code
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  for (int i = 0; i < LAUNCHES; i++) go();
  cudaStreamEndCapture(stream, &graph);
  cudaGraphInstantiate(&replay, graph, 0);
  cudaEventCreate(&a), cudaEventCreate(&b);
  cudaGraphLaunch(replay, stream);
  std::vector<float> ms(REPLAYS);
  for (float &m : ms) cudaEventRecord(a, stream), cudaGraphLaunch(replay, stream), cudaEventRecord(b, stream), cudaEventSynchronize(b), cudaEventElapsedTime(&m, a, b);
  cudaError_t e = cudaGetLastError();
  if (e != cudaSuccess) printf("%-64s %s\n", what.c_str(), cudaGetErrorString(e)), exit(1);
  std::sort(ms.begin(), ms.end());
  double us = ms[REPLAYS / 2] * 1e3 / LAUNCHES;
  lines.push_back({what, us, flops ? flops / us / 1e6 : bytes / us / 1e3, flops ? "TFLOP/s" : "GB/s"});
  cudaGraphExecDestroy(replay), cudaGraphDestroy(graph), cudaEventDestroy(a), cudaEventDestroy(b);
}
// print shows the lines since the last print, or the fastest few of them.
static void print(size_t few = 1000) {
  if (lines.size() > few) {
    std::sort(lines.begin(), lines.end(), [](const Line &a, const Line &b) { return a.us < b.us; });
    lines.resize(few);
  }
  for (Line &l : lines) printf("%-64s %8.1f us %7.1f %s\n", l.what.c_str(), l.us, l.rate, l.unit);
  fflush(stdout);
  lines.clear();
}
template <class K> static void allow(K k, int shared) { cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, shared); }

// A tile of tc_gemm90.cu's and tc_convt90.cu's kernels.
struct HopperTile { const char *name; int bm, bn, st; void (*gemm)(TMap, TMap, GemmArgs); void (*conv)(TMap, TMap, TMap, ConvArgs); };
static const HopperTile hopper[] = {{"128x128", 128, 128, 7, tc_gemm90_f16_128x128, tc_convt90_f16_128x128}, {"128x160", 128, 160, 6, tc_gemm90_f16_128x160, tc_convt90_f16_128x160},
    {"256x128", 256, 128, 4, tc_gemm90_f16_256x128, tc_convt90_f16_256x128}, {"256x160", 256, 160, 4, tc_gemm90_f16_256x160, tc_convt90_f16_256x160},
    {"turns128", 128, 128, 7, tc_gemm90_f16_turns128, tc_convt90_f16_turns128}, {"turns160", 128, 160, 6, tc_gemm90_f16_turns160, tc_convt90_f16_turns160}};
static void finish_splits(const Epilogue &e, const float *part, int M, int N, int splits) {
  FinishArgs f = {e, part, M, N, splits, 0};
  tc_finish_f16<<<(M * ((N + 7) / 8) + 255) / 256, 256>>>(f);
}

static void gemm_shape(int M, int K, int N, bool geglu, bool residual = false) {
  std::string what = "gemm " + std::to_string(M) + "x" + std::to_string(K) + "x" + std::to_string(N) + (geglu ? " geglu" : "") + (residual ? " residual" : "");
  if (!wanted(what)) return;
  uint16_t *A = device<uint16_t>((size_t)M * K), *W = device<uint16_t>((size_t)N * K), *C = device<uint16_t>((size_t)M * N);
  float *bias = device<float>(N);
  GemmArgs g = {};
  int out = geglu ? N / 2 : N;
  g.e = {C, bias, residual ? A : 0, 0, out, out, out, 1, 0, geglu ? OUT_GEGLU : 0, 1};
  g.A = A, g.W = W, g.M = M, g.Nw = N, g.K = K, g.lda = g.ldw = K;
  double flops = 2.0 * M * N * K;
  for (auto &h : hopper)
    for (int s : {1, 2, 4, 8}) {
      int tiles = ((M + h.bm - 1) / h.bm) * ((N + h.bn - 1) / h.bn);
      if (s > 1 && (tiles * s > sms || K / 64 < 4 * s)) break;
      g.splits = s, g.part = device<float>((size_t)s * M * N);
      TMap ta = tensor_map(A, K, M, K * 2, h.bm), tw = tensor_map(W, K, N, K * 2, h.bn);
      int sh = h.st * (h.bm + h.bn) * 128 + 128;
      allow(h.gemm, sh);
      report(what + " " + h.name + " splits " + std::to_string(s), flops, 0, [&] {
        h.gemm<<<std::min(sms, tiles * s), 384, sh>>>(ta, tw, g);
        if (s > 1) finish_splits(g.e, g.part, M, N, s);
      });
      cudaFree(g.part);
    }
  struct { int rows; void (*k)(GemmArgs); } few[] = {{8, tc_few_f16_8}, {16, tc_few_f16_16}, {32, tc_few_f16_32}, {64, tc_few_f16_64}};
  for (auto &f : few)
    if (M <= 128 && !geglu && f.rows < 2 * M) report(what + " few " + std::to_string(f.rows), flops, 0, [&] { f.k<<<dim3((N + 15) / 16, (M + f.rows - 1) / f.rows), 256, 640 * f.rows>>>(g); });
  print(M <= 128 ? 4 : 2);
  cudaFree(A), cudaFree(W), cudaFree(C), cudaFree(bias);
}
static void conv_shape(int N, int H, int C, int O) {
  std::string what = "conv3x3 " + std::to_string(N) + "x" + std::to_string(H) + "x" + std::to_string(H) + " " + std::to_string(C) + "->" + std::to_string(O);
  if (!wanted(what)) return;
  size_t M = (size_t)N * H * H;
  uint16_t *x = device<uint16_t>(M * C), *W = device<uint16_t>((size_t)O * 9 * C), *y = device<uint16_t>(M * O);
  float *bias = device<float>(O);
  ConvArgs g = {};
  g.e = {y, bias, 0, 0, O, O, O, H * H, 0, 0, 1};
  g.N = N, g.H = g.Wd = g.OH = g.OW = H, g.C1 = C, g.O = O, g.KH = g.KW = 3, g.stride = g.dil = g.padT = g.padL = 1;
  double flops = 18.0 * M * C * O;
  for (auto &h : hopper)
    for (int s : {1, 2, 4, 8, 13}) {
      int bw = std::min(H, 32), bh = std::min(H, h.bm / bw), images = h.bm / bw / bh, sh = h.st * (h.bm + h.bn) * 128 + 128;
      int tiles = ((H + bw - 1) / bw) * ((H + bh - 1) / bh) * ((N + images - 1) / images) * ((O + h.bn - 1) / h.bn);
      if (bw * bh * images != h.bm || (s > 1 && tiles * s > sms)) break;
      g.splits = s, g.part = device<float>((size_t)s * M * O), g.box = bw | bh << 16;
      TMap tx = picture_map(x, N, H, H, C, bw, bh, images, 1), tw = tensor_map(W, 9 * C, O, 18 * C, h.bn);
      allow(h.conv, sh);
      report(what + " " + h.name + " splits " + std::to_string(s), flops, 0, [&] {
        h.conv<<<std::min(sms, tiles * s), 384, sh>>>(tx, tx, tw, g);
        if (s > 1) finish_splits(g.e, g.part, (int)M, O, s);
      });
      cudaFree(g.part);
    }
  print(2);
  cudaFree(x), cudaFree(W), cudaFree(y), cudaFree(bias);
}
static void attn_shape(int B, int H, int D, int LQ, int LK) {
  int S = H * D;
  std::string what = "attention " + std::to_string(B) + "x" + std::to_string(H) + " d" + std::to_string(D) + " " + std::to_string(LQ) + "x" + std::to_string(LK);
  if (!wanted(what)) return;
  uint16_t *q = device<uint16_t>((size_t)B * LQ * S), *k = device<uint16_t>((size_t)B * LK * S), *o = device<uint16_t>((size_t)B * LQ * S);
  AttnArgs g = {};
  g.out = o, g.q = q, g.k = g.v = k, g.LQ = LQ, g.LK = LK, g.strideQ = g.strideK = g.strideV = g.strideO = S, g.scale = 1 / sqrtf(D);
  double flops = 4.0 * B * H * D * LQ * LK;
  struct { int d, bq, shared; void (*k)(AttnArgs); } mma[] = {{32, 64, 25600, tc_attn_f16_32}, {40, 128, 43008, tc_attn_f16_40}, {64, 64, 46080, tc_attn_f16_64}, {80, 64, 56320, tc_attn_f16_80}, {160, 64, 64512, tc_attn_f16_160}, {512, 32, 101120, tc_attn_f16_512}};
  for (auto &m : mma)
    if (m.d == D) allow(m.k, m.shared), report(what + " mma", flops, 0, [&] { m.k<<<dim3((LQ + m.bq - 1) / m.bq, H, B), 128, m.shared>>>(g); });
  struct { int d, bq, bkv, threads, shared; void (*k)(TMap, TMap, TMap, AttnArgs, int, int); } hopper[] = {
      {32, 128, 128, 384, Flash90<false, 32, 128, 2>::SHARED, tc_attn90_f16_32}, {40, 128, 128, 384, Flash90<false, 40, 128, 2>::SHARED, tc_attn90_f16_40},
      {64, 128, 64, 384, Flash90<false, 64, 64, 2>::SHARED, tc_attn90_f16_64}, {80, 128, 64, 384, Flash90<false, 80, 64, 2>::SHARED, tc_attn90_f16_80},
      {160, 64, 64, 256, Flash90<false, 160, 64, 1>::SHARED, tc_attn90_f16_160}};
  for (auto &m : hopper)
    if (m.d == D) {
      TMap tq = head_map(q, D, H, LQ, B, S, m.bq), tk = head_map(k, D, H, LK, B, S, m.bkv);
      int grid = std::min(sms, (LQ + m.bq - 1) / m.bq * H * B);
      allow(m.k, m.shared), report(what + " 90", flops, 0, [&] { m.k<<<grid, m.threads, m.shared>>>(tq, tk, tk, g, H, B); });
    }
  struct { int d, pitch, per_sm; void (*k)(AttnArgs); } few[] = {{40, 112, 4, tc_attn_short_f16_40}, {64, 144, 4, tc_attn_short_f16_64}, {80, 176, 4, tc_attn_short_f16_80}, {160, 336, 2, tc_attn_short_f16_160}};
  for (auto &m : few)
    if (m.d == D && LK <= 80) {
      int n = (LQ + 63) / 64, room = sms * m.per_sm, each = (n * H * B + room - 1) / room;
      allow(m.k, 288 * m.pitch), report(what + " short", flops, 0, [&] { m.k<<<dim3((n + each - 1) / each, H, B), 128, 288 * m.pitch>>>(g); });
    }
  if (LQ == 1 && D == 192) report(what + " one", flops, 4.0 * B * H * D * LK, [&] { tc_attn_one_f16_192<<<dim3(H, B), 128, 64 * 196>>>(g, D); });
  print(2);
  cudaFree(q), cudaFree(k), cudaFree(o);
}
static void norm_shape(int N, int H, int C) {
  std::string what = std::to_string(N) + "x" + std::to_string(H) + "x" + std::to_string(H) + "x" + std::to_string(C);
  if (!wanted("norm " + what)) return;
  size_t n = (size_t)N * H * H * C;
  uint16_t *x = device<uint16_t>(n), *y = device<uint16_t>(n);
  float *w = device<float>(C), *scale = device<float>((size_t)2 * N * C);
  int tiles = 1, lanes = 1, HW = H * H;
  while (32 % (tiles * 2) == 0 && C / 16 % (tiles * 2) == 0 && C / (tiles * 2) >= 32) tiles *= 2;
  while (lanes < 32 && C > 40 * lanes) lanes *= 2;
  int batch = 4 * (256 / (C / 8 / tiles)), most = std::min(std::max(1, std::min({(HW + batch - 1) / batch, 512 / tiles, 128})), HW);
  for (int slices : {most, (most + 1) / 2, (most + 3) / 4}) {
    GroupNormArgs g = {y, x, 0, w, w, device<float2>((size_t)N * slices * 32), HW, C, 0, 32, slices, ACT_SILU, 1e-5f, 0};
    std::string how = what + " tiles " + std::to_string(tiles) + " slices " + std::to_string(slices);
    dim3 grid(tiles, slices, N);
    report("groupnorm parts " + how, 0, n * 2.0, [&] { tc_groupnorm_parts_f16<<<grid, 256, 16512>>>(g); });
    report("groupnorm apply " + how, 0, n * 4.0, [&] { tc_groupnorm_apply_f16<<<grid, 256, 256 / tiles>>>(g); });
    report("groupnorm both " + how, 0, n * 6.0, [&] { tc_groupnorm_parts_f16<<<grid, 256, 16512>>>(g), tc_groupnorm_apply_f16<<<grid, 256, 256 / tiles>>>(g); });
    cudaFree(g.part);
    if (slices == 1) break;
  }
  LayerNormArgs l = {y, x, w, w, (int)(n / C), C, 1e-5f, 0};
  report("layernorm " + what, 0, n * 4.0, [&] { tc_layernorm_f16<<<((size_t)l.M * lanes + 255) / 256, 256>>>(l); });
  print();
  cudaFree(x), cudaFree(y), cudaFree(w), cudaFree(scale);
}
int main(int argc, char **argv) {
  if (argc > 1) part = argv[1];
  cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0);
  gemm_shape(8192, 8192, 8192, false);
  for (int b : {2, 16})
    for (int i = 0; i < 4; i++) {
      int h = 64 >> i, c = i == 0 ? 320 : i == 1 ? 640 : 1280;
      gemm_shape(b * h * h, c, c, false), gemm_shape(b * h * h, c, 8 * c, true), gemm_shape(b * h * h, 4 * c, c, false, true);
      conv_shape(b, h, c, c);
      norm_shape(b, h, c);
      if (i < 3) attn_shape(b, 8, c / 8, h * h, h * h), attn_shape(b, 8, c / 8, h * h, 77);
    }
  conv_shape(1, 64, 512, 512), conv_shape(1, 128, 512, 512), conv_shape(1, 256, 256, 256), conv_shape(1, 512, 128, 128);
  attn_shape(1, 1, 512, 4096, 4096), attn_shape(64, 12, 64, 50, 50);
  for (int b : {1, 16, 64, 128, 512}) { // the decoder's
    gemm_shape(b, 768, 2304, false), gemm_shape(b, 768, 768, false, true), gemm_shape(b, 768, 3072, false), gemm_shape(b, 3072, 768, false), gemm_shape(b, 768, 49408, false);
    attn_shape(b, 4, 192, 1, 21);
  }
  gemm_shape(50, 768, 3072, false), gemm_shape(77, 768, 3072, false), gemm_shape(100, 256, 2048, false), gemm_shape(128, 1280, 1280, false), gemm_shape(128, 5120, 1280, false);
  return 0;
}
