#!/usr/bin/env bash
# zig as the C compiler for another machine or an older glibc: ZIG is the program,
# ZTARGET the machine. The folders of this machine that gorgonia.org/cu names must
# not leak in.
args=()
for a in "$@"; do
  case "$a" in -I/usr/include | -L/usr/lib/x86_64-linux-gnu/) ;; *) args+=("$a") ;; esac
done
exec "${ZIG:?}" cc -target "${ZTARGET:?}" "${args[@]}"
