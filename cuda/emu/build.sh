#!/usr/bin/env bash
# Builds the emulation of src/*.cu, plain kernels and those for tensor cores, as DIR/libcuda.so.1. More flags for the compiler
# may follow, such as -fsanitize=address.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")"
flags=(-std=c++17 -O2 -g1 -fPIC -fvisibility=hidden -ffp-contract=off -DCUDA_EMU -Wall -Wno-unknown-pragmas -Wno-unused-function "$@")
case $(uname -m) in x86_64) flags+=(-march=x86-64-v3 -mtls-dialect=gnu2) ;; esac
compile() { "${CXX:-g++}" "${flags[@]}" -c -o "$out/$1.o" "$2"; }
tensor=(-std=c++17 -O1 -g1 -fPIC -fvisibility=hidden -DCUDA_EMU -Wall -Wno-attributes -Wno-unused-function -Wno-unknown-pragmas -Wno-psabi "$@")
case $(uname -m) in x86_64) tensor+=(-march=x86-64-v3) ;; esac
"${CXX:-g++}" "${tensor[@]}" -shared -o "$out/libtensor.so" tc_kernels.cpp tc_emu.cpp &
for k in ../src/[a-z]*.cu broken.cu; do
  name=$(basename "$k" .cu)
  case $name in tc_*) continue ;; esac
  {
    echo "#include \"$PWD/$k\""
    sed -n 's/^KERNEL([0-9]*) \([a-z0-9_]*\)(.*/EMU_KERNEL(\1)/p' "$k"
  } >"$out/$name.cpp"
  compile "$name" "$out/$name.cpp" &
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
done
compile emu emu.cpp
compile driver driver.cpp
while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n; done
"${CXX:-g++}" "${flags[@]}" -shared -pthread -Wl,-soname,libcuda.so.1 -o "$out/libcuda.so.1" "$out"/*.o -L"$out" -ltensor -Wl,-rpath,'$ORIGIN'
