// The life of a task's native thread: it runs the guest, serves its calls and faults, delivers its signals.
#pragma once
#include "linux/task/task.hpp"

namespace personality {

// Gives `task` a native thread, which takes a reference of its own. Its guest starts with task.initial, once `prepare` (null: nothing) has run there and returned true.
// Sandbox lock held. EAGAIN.
LinuxResult<void> start_task(Task& task, bool (*prepare)(Task& task, void* argument), void* argument);

// Calls that had no handler, by number. Written without a lock, so a count may be short by a few.
std::uint32_t missing_calls(unsigned number);

} // namespace personality
