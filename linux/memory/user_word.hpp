// Atomic access to 32-bit words of guest memory (futexes), and the set-up of the copy routines.
#pragma once
#include "linux/core/errno.hpp"

#include <cstdint>

namespace personality {

// Tells the kernel where the copy routines may fault. Once, before the first guest runs.
void prepare_user_memory();

// Sets the word to `desired` where it holds `expected`; gives what it held. EFAULT. Sandbox lock not held.
LinuxResult<std::uint32_t> compare_exchange_user(std::uint64_t address, std::uint32_t expected, std::uint32_t desired);

} // namespace personality
