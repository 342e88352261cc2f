#!/usr/bin/env bash
# Compiles src/*.cu to code/*.fatbin with the toolkit in DIR (toolkit.sh DIR all):
# PTX for every GPU from compute capability 7.5 on, machine code for those most
# used. PTX gets the version that its oldest GPU's drivers know: nvcc writes its
# own, which they would refuse. Products and sums stay apart (-fmad=false) except
# where the source fuses them, so that kernels that must agree give the same bits.
set -euo pipefail
kit=$(cd "$1" && pwd)
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p code
rm -f code/*.fatbin
ptx() { # source, virtual architecture, PTX version
  "$kit/nvcc/bin/nvcc" -O3 -fmad=false -std=c++17 -I"$kit/nvcc/include" -I"$kit/nvcc/include/cccl" -ptx -arch="compute_$2" -o "$tmp/$1.$2.ptx" "src/$1.cu"
  sed -i "s/^\.version .*/.version $3/" "$tmp/$1.$2.ptx"
}
for src in src/[a-z]*.cu; do
  name=$(basename "$src" .cu)
  case $name in tc_*) continue ;; esac
  ptx "$name" 75 6.3
  ptx "$name" 90 8.0
  images=("--image3=kind=ptx,sm=75,file=$tmp/$name.75.ptx")
  for arch in 75:80 75:86 75:87 75:89 90:90; do
    sm=${arch#*:}
    "$kit/ptxas" -O3 -arch="sm_$sm" -o "$tmp/$name.$sm.cubin" "$tmp/$name.${arch%:*}.ptx"
    images+=("--image3=kind=elf,sm=$sm,file=$tmp/$name.$sm.cubin")
  done
  "$kit/nvcc/bin/fatbinary" -64 --compress-mode=size --create="code/$name.fatbin" "${images[@]}"
done
# What was compiled and what came out: a test compares.
sha256sum src/[a-z]*.cu src/[a-z]*.h build.sh code/*.fatbin | grep -v ' src/tc_\| src/dev_tc' >code/sha256
ls -l code
