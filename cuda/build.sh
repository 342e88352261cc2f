#!/usr/bin/env bash
# Compiles src/*.cu to code/*.fatbin with the toolkit in DIR (toolkit.sh DIR all):
# PTX for every GPU from compute capability 7.5 on, machine code for those most
# used. PTX gets the version that its oldest GPU's drivers know: nvcc writes its
# own, which they would refuse. In plain kernels products and sums stay apart
# (-fmad=false) except where the source fuses them, so that kernels that must agree
# give the same bits. The same sources give the same bytes, wherever they lie.
set -euo pipefail
kit=$(cd "$1" && pwd)
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p code
rm -f code/*.fatbin
nvcc() { "$kit/nvcc/bin/nvcc" -O3 -std=c++17 -I"$kit/nvcc/include" -I"$kit/nvcc/include/cccl" -ptx "$@"; }
ptx() { # source, virtual architecture, PTX version, more flags
  nvcc -arch="compute_$2" "${@:4}" -o "$tmp/$1.$2.ptx" "src/$1.cu"
  # Hints that older versions don't know go; names get no hash of the sources' folder.
  sed -i -E -e "s/^\.version .*/.version $3/" -e '/\.pragma "used_bytes_mask/d' -e 's/_INTERNAL_[0-9a-f]{8}_/_INTERNAL_00000000_/g' "$tmp/$1.$2.ptx"
}
images=()
code() { # source, virtual and real architecture
  "$kit/ptxas" -O3 -arch="sm_$3" -o "$tmp/$1.$3.cubin" "$tmp/$1.$2.ptx"
  images+=("--image3=kind=elf,sm=$3,file=$tmp/$1.$3.cubin")
}
compile() { # source
  images=()
  case $1 in
  tc_*90) # Hopper's own instructions
    ptx "$1" 90a 8.0
    code "$1" 90a 90a
    ;;
  tc_*) # pipelines are shorter where there is less shared memory
    ptx "$1" 80 7.0
    ptx "$1" 86 7.1
    ptx "$1" 89 7.8
    ptx "$1" 90 8.0
    images+=("--image3=kind=ptx,sm=80,file=$tmp/$1.80.ptx")
    for arch in 80:80 86:86 80:87 89:89 90:90; do code "$1" "${arch%:*}" "${arch#*:}"; done
    ;;
  *)
    ptx "$1" 75 6.3 -fmad=false
    ptx "$1" 90 8.0 -fmad=false
    images+=("--image3=kind=ptx,sm=75,file=$tmp/$1.75.ptx")
    for arch in 75:80 75:86 75:87 75:89 90:90; do code "$1" "${arch%:*}" "${arch#*:}"; done
    ;;
  esac
  "$kit/nvcc/bin/fatbinary" -64 --compress-mode=size --create="code/$1.fatbin" "${images[@]}"
}
jobs=() made=()
for src in src/[a-z]*.cu; do
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
  name=$(basename "$src" .cu)
  compile "$name" &
  jobs+=($!) made+=("code/$name.fatbin")
done
for j in "${jobs[@]}"; do wait "$j"; done
# Which file has which kernel.
for src in src/[a-z]*.cu; do
  name=$(basename "$src" .cu)
  sed -n -E "s/^\.visible \.entry ([a-z0-9_]+).*/\1 $name/p" "$tmp/$name".*.ptx
done | sort -u >code/kernels
# What was compiled and what came out: a test compares.
sha256sum src/[a-z]*.cu src/[a-z]*.h build.sh "${made[@]}" code/kernels >code/sha256
ls -l code
