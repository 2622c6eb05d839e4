// Which processors programs run on: those of the node, of the sandbox (`--cpuset-cpus`), and of a task's own choice (sched_setaffinity). Masks, bit i for processor i.
#pragma once
#include "linux/core/errno.hpp"

#include <cstdint>

namespace personality {

class Task;

// All that the node has.
std::uint64_t online_processors();
// Those that the sandbox has of them. Sandbox lock held.
std::uint64_t sandbox_processors();
// Those that the task runs on: its choice, as far as the sandbox has it. Sandbox lock held.
std::uint64_t processors_of(const Task& task);
// Sandbox lock held. Errors: EINVAL (none of them is the sandbox').
LinuxResult<void> choose_processors(Task& task, std::uint64_t processors);
// By a task that begins, on its own thread: what it inherited holds from here on. Sandbox lock held.
void take_inherited_processors(Task& task);

} // namespace personality
