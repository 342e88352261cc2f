//go:build ignore

// All tensor-core kernels in one object, found by name through tcemu_find and run
// through tcemu_run: what a stand-in driver links.
#include "../src/tc_attn.cu"
#include "../src/tc_attn90.cu"
#include "../src/tc_attn_short.cu"
#include "../src/tc_conv.cu"
#include "../src/tc_conv3.cu"
#include "../src/tc_conv90.cu"
#include "../src/tc_convt90.cu"
#include "../src/tc_finish.cu"
#include "../src/tc_gemm.cu"
#include "../src/tc_gemm90.cu"
#include "../src/tc_gemv.cu"
#include "../src/tc_norm.cu"
