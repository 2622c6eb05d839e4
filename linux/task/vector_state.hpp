// The vector registers of guest threads, which the kernel keeps.
#pragma once
#include "linux/task/task.hpp"

namespace personality {

inline constexpr std::size_t vector_state_limit = 4096;

// clone and fork: what the calling task's registers hold is what `child` starts with. Lock not held. ENOMEM.
LinuxResult<void> inherit_vector_state(Task& child);
// On the task's own thread, before its first turn. Frees what was inherited.
void restore_vector_state(Task& task);
// exec: the initial state.
void reset_vector_state(Task& task);

} // namespace personality
