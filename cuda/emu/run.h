// What the stand-in driver needs of the emulation.
#pragma once
#include "emu.h"
extern thread_local void *emu_context; // the current one of this thread
const emu_kernel *emu_find(const char *name);
// emu_run runs all blocks of a launch (grid, block, shared bytes) and returns a
// CUresult.
int emu_run(const emu_kernel *k, const unsigned *dims, void *const *args);
