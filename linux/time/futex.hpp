// Futexes of guest programs (man 2 futex). The waiters are in the kernel's queue, where the fast calls of guests find them too.
#pragma once
#include "linux/task/task.hpp"

namespace personality {

// Wakes up to `count` waiters of the word, in the calling task's memory. Lock not held. Gives how many; EFAULT, EINVAL (not aligned).
LinuxResult<std::uint64_t> wake_futex(std::uint64_t address, std::uint32_t count);

// The thread ends, or takes a new program: words of its robust list that it holds get FUTEX_OWNER_DIED, and a waiter wakes (man 2 get_robust_list). Lock not held.
void release_robust_list(Task& task);

} // namespace personality
