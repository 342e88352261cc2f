#!/bin/sh
# tc_gpu.sh DIR ARCH: builds the kernel tests into DIR to run on a GPU, ARCH being 80, 86,
# 89 or 90a; and for 90a the timings too. CUDA_HOME holds the toolkit.
set -e
cd "$(dirname "$0")"
out=$1 arch=$2
mkdir -p "$out"
nvcc="${CUDA_HOME:?set CUDA_HOME to the toolkit}/bin/nvcc -x cu -std=c++17 -O2 -I$CUDA_HOME/include -L$CUDA_HOME/lib -gencode arch=compute_$arch,code=sm_$arch"
case $arch in 90a) hopper="gemm90 conv3x3 convt90 attn90" ;; esac
for t in ${TC_TESTS:-gemm conv attn norm $hopper}; do
  $nvcc -o "$out/$t" tc_test_$t.cpp
done
case $arch in 90a) $nvcc --default-stream per-thread -o "$out/bench" tc_bench.cpp ;; esac
