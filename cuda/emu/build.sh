#!/usr/bin/env bash
# Builds the emulation of src/*.cu as DIR/libcuda.so.1 and, for the tensor-core
# kernels, DIR/libtensor.so beside it. More flags for the compiler may follow, such as
# -fsanitize=address.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")"
flags=(-std=c++17 -g1 -fPIC -fvisibility=hidden -DCUDA_EMU -Wall -Wno-attributes -Wno-psabi -Wno-unknown-pragmas -Wno-unused-function "$@")
case $(uname -m) in x86_64) flags+=(-march=x86-64-v3 -mtls-dialect=gnu2) ;; esac
plain=(-O2 -ffp-contract=off)
jobs=()
compile() { # object, source, flags
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
  "${CXX:-g++}" "${flags[@]}" "${@:3}" -c -o "$out/$1.o" -x c++ "$2" &
  jobs+=($!)
}
for k in ../src/[a-z]*.cu broken.cu; do
  name=$(basename "$k" .cu)
  case $name in tc_*)
    compile "$name" "$k" -O1
    continue ;;
  esac
  {
    echo "#include \"$PWD/$k\""
    sed -n 's/^KERNEL([0-9]*) \([a-z0-9_]*\)(.*/EMU_KERNEL(\1)/p' "$k"
  } >"$out/$name.cpp"
  compile "$name" "$out/$name.cpp" "${plain[@]}"
done
compile tc_emu tc_emu.cpp -O2
compile emu emu.cpp "${plain[@]}"
compile driver driver.cpp "${plain[@]}"
for j in "${jobs[@]}"; do wait "$j"; done
link=("${CXX:-g++}" "${flags[@]}" -shared -pthread)
"${link[@]}" -o "$out/libtensor.so" "$out"/tc_*.o
rm "$out"/tc_*.o
"${link[@]}" -Wl,-soname,libcuda.so.1 -o "$out/libcuda.so.1" "$out"/*.o -L"$out" -ltensor -Wl,-rpath,'$ORIGIN'
