// The vDSO of guests (linux/vdso): the clock page, and behind it the object that reads it.
#pragma once
#include "linux/memory/memory_map.hpp"

namespace personality {

// Maps both into a new address space and sets its `vdso` to the object's address; 0 where the sandbox has no clock: programs then use system calls.
// Sandbox lock. Errors: ENOMEM.
LinuxResult<void> map_vdso(MemoryMap& memory);

} // namespace personality
