#!/bin/sh
# tc_build.sh DIR [FLAGS]: builds the emulated kernel tests into DIR.
set -e
cd "$(dirname "$0")"
out=$1; shift
mkdir -p "$out"
march=; [ "$(uname -m)" = x86_64 ] && march=-march=x86-64-v3
cxx="${CXX:-g++} -std=c++17 -O1 -pthread $march -DCUDA_EMU -Wall -Wno-attributes -Wno-unused-function -Wno-unknown-pragmas -Wno-psabi $*"
$cxx -c -o "$out/tc_emu.o" tc_emu.cpp
for t in ${TC_TESTS:-emu gemm conv attn norm gemm90 conv3x3 convt90 attn90}; do
  $cxx -o "$out/$t" tc_test_$t.cpp "$out/tc_emu.o"
done
