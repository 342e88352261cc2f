package isa

import "golang.org/x/sys/unix"

// allowTiles asks for the tiles' state, for all threads of the process.
// Source: Linux, Documentation/arch/x86/xstate.rst.
func allowTiles() bool {
	const request, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, request, tileData, 0)
	return errno == 0
}
