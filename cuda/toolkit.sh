#!/usr/bin/env bash
# Fetches what building takes into DIR, from the Python package registry and under
# NVIDIA's licences: cuda.h (DIR/include), and with "all" nvcc and the assembler
# of CUDA 12.9 (DIR/nvcc, DIR/ptxas) and zig (DIR/zig), the C compiler for other
# machines. What is there already stays.
#
# The header is 12.9's because gorgonia.org/cu doesn't compile with 13's. The
# assembler is too, so that drivers of the 12 line load the code.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
fetch() { # folder, packages
  local into="$dir/$1"
  shift
  [ -d "$into" ] && return
  rm -rf "$into.part" && mkdir "$into.part"
  python3 -m pip download -q --no-deps -d "$into.part/wheels" "$@"
  for w in "$into.part"/wheels/*.whl; do python3 -m zipfile -e "$w" "$into.part"; done
  rm -rf "$into.part/wheels"
  mv "$into.part" "$into"
}
fetch runtime12 nvidia-cuda-runtime-cu12==12.9.79
ln -sfn runtime12/nvidia/cuda_runtime/include "$dir/include"
[ "${2:-}" = all ] || exit 0
fetch nvcc13 nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
fetch ptxas12 nvidia-cuda-nvcc-cu12==12.9.86
fetch zig ziglang==0.13.0
chmod +x "$dir"/nvcc13/nvidia/cu13/bin/* "$dir"/nvcc13/nvidia/cu13/nvvm/bin/* "$dir"/ptxas12/nvidia/cuda_nvcc/bin/* "$dir"/zig/ziglang/zig
ln -sfn nvcc13/nvidia/cu13 "$dir/nvcc"
ln -sfn ptxas12/nvidia/cuda_nvcc/bin/ptxas "$dir/ptxas"
